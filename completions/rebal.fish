# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_rebal_global_optspecs
    string join \n config= profile= demo set= state-dir= format= json out= q/quiet v/verbose color= yes h/help V/version
end

function __fish_rebal_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_rebal_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_rebal_using_subcommand
    set -l cmd (__fish_rebal_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c rebal -n "__fish_rebal_needs_command" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_needs_command" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_needs_command" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_needs_command" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_needs_command" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_needs_command" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_needs_command" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_needs_command" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_needs_command" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_needs_command" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_needs_command" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_needs_command" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_needs_command" -s h -l help -d 'Print help'
complete -c rebal -n "__fish_rebal_needs_command" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "scan" -d 'Choose the coins to hold, and say why each was taken or left'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "plan" -d 'Show what a pass would do now, and why; sends nothing'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "rebalance" -d 'Bring the portfolio back to its targets: one pass'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "risk-check" -d 'Show every risk figure with its limit; close everything where the hard stop fires'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "report" -d 'Show the account now with its last 30 days, or what a period came to'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "flatten" -d 'Close every position at the market, cancel our orders, and halt trading'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "funding" -d 'Show funding paid, due and forecast, per coin; sends nothing'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "init" -d 'Ask, check, and write a configuration; arm an account for real money'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "doctor" -d 'Check everything that a pass needs, and say how to mend what is wrong'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "backtest" -d 'Decide as a pass does, over recorded prices; sends nothing'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "sim" -d 'Serve the simulated exchange over HTTP, for practice and tests'
complete -c rebal -n "__fish_rebal_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l apply -d 'Make it the universe that passes trade where basket.symbols is empty'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l rejected -d 'Show every contract that was looked at and left, with the reason'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rebal -n "__fish_rebal_using_subcommand scan" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l dry-run -d 'Keep no record of the plan either'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l detailed-exitcode -d 'Exit with 20 where there is something to do'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -s h -l help -d 'Print help'
complete -c rebal -n "__fish_rebal_using_subcommand plan" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l plan -d 'Carry out this plan, if what it was made from still holds' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l metrics-file -d 'Write figures in Prometheus\' text format to this file, also after a pass that failed' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l dry-run -d 'Decide and show, send nothing'
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -s h -l help -d 'Print help'
complete -c rebal -n "__fish_rebal_using_subcommand rebalance" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l confirm -d 'The id of the halt to lift, where nobody is there to type it' -r
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l metrics-file -d 'Write figures in Prometheus\' text format to this file, also after a check that failed' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l resume -d 'Lift the halt and measure the drawdown from here on'
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -s h -l help -d 'Print help'
complete -c rebal -n "__fish_rebal_using_subcommand risk-check" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand report" -l since -d 'From this time on: 2026-01-31, 2026-01-31T12:00:00Z, or 14d for the last 14 days' -r
complete -c rebal -n "__fish_rebal_using_subcommand report" -l until -d 'Until this time, which is not part of it; now where it is left out' -r
complete -c rebal -n "__fish_rebal_using_subcommand report" -l watch -d 'Draw the dashboard again every so many seconds, at least 5' -r
complete -c rebal -n "__fish_rebal_using_subcommand report" -l export-trades -d 'Write the executions of the period (all of them without one) to this file, as trades.csv has them' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand report" -l metrics-file -d 'Write the figures for Prometheus\' textfile collector to this file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand report" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand report" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand report" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand report" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand report" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand report" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand report" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand report" -l day -d 'The last 24 hours'
complete -c rebal -n "__fish_rebal_using_subcommand report" -l week -d 'The last 7 days'
complete -c rebal -n "__fish_rebal_using_subcommand report" -l month -d 'The last 30 days'
complete -c rebal -n "__fish_rebal_using_subcommand report" -l previous -d 'The period of the same length before'
complete -c rebal -n "__fish_rebal_using_subcommand report" -l send -d 'Send the period as a document over Telegram too: a page, or what --format says'
complete -c rebal -n "__fish_rebal_using_subcommand report" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand report" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand report" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand report" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand report" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand report" -s h -l help -d 'Print help'
complete -c rebal -n "__fish_rebal_using_subcommand report" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l symbols -d 'Close only these, by contract or by coin: ADAUSDT or ADA' -r
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l no-halt -d 'Do not halt: the next pass may buy everything again'
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -s h -l help -d 'Print help'
complete -c rebal -n "__fish_rebal_using_subcommand flatten" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l since -d 'Count from this date, time or so long ago: 2026-01-31, 2026-01-31T12:00:00Z, 7d' -r
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand funding" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand funding" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand funding" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand funding" -s h -l help -d 'Print help'
complete -c rebal -n "__fish_rebal_using_subcommand funding" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand init" -l confirm -d 'What to type at --arm-live, where nobody is there to type it' -r
complete -c rebal -n "__fish_rebal_using_subcommand init" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand init" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand init" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand init" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand init" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand init" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand init" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand init" -l non-interactive -d 'Ask nothing: take --set for what differs from the defaults'
complete -c rebal -n "__fish_rebal_using_subcommand init" -l arm-live -d 'Allow a configuration with mode = "live" to trade: once per account'
complete -c rebal -n "__fish_rebal_using_subcommand init" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand init" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand init" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand init" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand init" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand init" -s h -l help -d 'Print help'
complete -c rebal -n "__fish_rebal_using_subcommand init" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l send-test -d 'Send a test message to Telegram and one beat to heartbeat.url'
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rebal -n "__fish_rebal_using_subcommand doctor" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l data -d 'Take klines from this folder: SYMBOL*.csv[.gz|.zip], or one folder per symbol' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l funding -d 'Take funding rates from this folder; without it there is none' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l interval -d 'Decide this often, counted from the first bar and not from midnight UTC: a whole multiple of the bars; and download bars of this length. Otherwise the configuration\'s interval' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l exchange-info -d 'Take steps and minimums from a recorded exchangeInfo' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l from -d 'Begin with the first bar at or after this time' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l to -d 'End with the last bar that closes at or before this time' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l equity -d 'Begin with this much of the quote asset' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l resume-after -d 'Trade again this long after a hard stop, instead of ending there' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l export-trades -d 'Write every execution to this file, a row each' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l sweep -d 'Try these values of a configuration key, with those of every other --sweep (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l jobs -d 'Run so many settings at a time; all cores where it is not given' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l sort -d 'Order settings by a figure: return, final_equity, max_drawdown, trades, turnover, fees, funding …' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l folds -d 'Choose on one part of the period and look at the next, K times' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l shard -d 'Run part I of N, counted from 0, and write it as JSON lines for --merge' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l merge -d 'Join the parts of a sweep that --shard wrote' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l fetch -d 'Download missing klines, funding and the listing into these folders first'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l exact -d 'Decide exactly at every bar, without the screen'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rebal -n "__fish_rebal_using_subcommand backtest" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l listen -d 'Listen on this loopback address; port 0 picks a free one' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l prices -d 'Take prices from here: synthetic, or a folder of recorded klines' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l funding -d 'Settle funding at the recorded rates of this folder; without it, recorded prices have none' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l seed -d 'Make up the same market for the same number' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l symbols -d 'List the contracts named in a file, one a line, or this many made-up ones' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l exchange-info -d 'Use the trading rules of a recorded exchangeInfo' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l equity -d 'Begin with this much USDT, on futures and again on spot' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l clock -d 'Let time pass by itself, or only with POST /sim/advance' -r -f -a "real\t''
manual\t''"
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l speed -d 'Let real time pass this many times as fast' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l latency-ms -d 'Wait this long before processing a request' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l api-key -d 'Know this key' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l api-secret -d 'Check signatures against this secret: HMAC text, or an Ed25519 PEM' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l config -d 'Read this configuration file' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l profile -d 'Use NAME.toml of the configuration folder, with a state folder of its own' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l set -d 'Set one value, over file and environment (repeatable)' -r
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l state-dir -d 'Keep ledger, trades.csv, HALT and lock here' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l format -d 'Show the result in this form, where the command has it' -r -f -a "table\t''
json\t''
csv\t''
markdown\t''
html\t''"
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l out -d 'Write the result to this file too' -r -F
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l color -d 'Use colours' -r -f -a "auto\t''
always\t''
never\t''"
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l demo -d 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l json -d 'Same as --format json'
complete -c rebal -n "__fish_rebal_using_subcommand sim" -s q -l quiet -d 'Say nothing but the result and errors'
complete -c rebal -n "__fish_rebal_using_subcommand sim" -s v -l verbose -d 'Say what is being done'
complete -c rebal -n "__fish_rebal_using_subcommand sim" -l yes -d 'Ask nothing'
complete -c rebal -n "__fish_rebal_using_subcommand sim" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c rebal -n "__fish_rebal_using_subcommand sim" -s V -l version -d 'Print version'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "scan" -d 'Choose the coins to hold, and say why each was taken or left'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "plan" -d 'Show what a pass would do now, and why; sends nothing'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "rebalance" -d 'Bring the portfolio back to its targets: one pass'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "risk-check" -d 'Show every risk figure with its limit; close everything where the hard stop fires'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "report" -d 'Show the account now with its last 30 days, or what a period came to'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "flatten" -d 'Close every position at the market, cancel our orders, and halt trading'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "funding" -d 'Show funding paid, due and forecast, per coin; sends nothing'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "init" -d 'Ask, check, and write a configuration; arm an account for real money'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "doctor" -d 'Check everything that a pass needs, and say how to mend what is wrong'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "backtest" -d 'Decide as a pass does, over recorded prices; sends nothing'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "sim" -d 'Serve the simulated exchange over HTTP, for practice and tests'
complete -c rebal -n "__fish_rebal_using_subcommand help; and not __fish_seen_subcommand_from scan plan rebalance risk-check report flatten funding init doctor backtest sim help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
