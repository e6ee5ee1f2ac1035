
use builtin;
use str;

set edit:completion:arg-completer[rebal] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'rebal'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'rebal'= {
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
            cand scan 'Choose the coins to hold, and say why each was taken or left'
            cand plan 'Show what a pass would do now, and why; sends nothing'
            cand rebalance 'Bring the portfolio back to its targets: one pass'
            cand risk-check 'Show every risk figure with its limit; close everything where the hard stop fires'
            cand report 'Show the account now with its last 30 days, or what a period came to'
            cand flatten 'Close every position at the market, cancel our orders, and halt trading'
            cand funding 'Show funding paid, due and forecast, per coin; sends nothing'
            cand backtest 'Decide as a pass does, over recorded prices; sends nothing'
            cand sim 'Serve the simulated exchange over HTTP, for practice and tests'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rebal;scan'= {
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --apply 'Make it the universe that passes trade where basket.symbols is empty'
            cand --rejected 'Show every contract that was looked at and left, with the reason'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;plan'= {
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --dry-run 'Keep no record of the plan either'
            cand --detailed-exitcode 'Exit with 20 where there is something to do'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;rebalance'= {
            cand --plan 'Carry out this plan, if what it was made from still holds'
            cand --metrics-file 'Write figures in Prometheus'' text format to this file, also after a pass that failed'
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --dry-run 'Decide and show, send nothing'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;risk-check'= {
            cand --confirm 'The id of the halt to lift, where nobody is there to type it'
            cand --metrics-file 'Write figures in Prometheus'' text format to this file, also after a check that failed'
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --resume 'Lift the halt and measure the drawdown from here on'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;report'= {
            cand --since 'From this time on: 2026-01-31, 2026-01-31T12:00:00Z, or 14d for the last 14 days'
            cand --until 'Until this time, which is not part of it; now where it is left out'
            cand --watch 'Draw the dashboard again every so many seconds, at least 5'
            cand --export-trades 'Write the executions of the period (all of them without one) to this file, as trades.csv has them'
            cand --metrics-file 'Write the figures for Prometheus'' textfile collector to this file'
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --day 'The last 24 hours'
            cand --week 'The last 7 days'
            cand --month 'The last 30 days'
            cand --previous 'The period of the same length before'
            cand --send 'Send the period as a document over Telegram too: a page, or what --format says'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;flatten'= {
            cand --symbols 'Close only these, by contract or by coin: ADAUSDT or ADA'
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --no-halt 'Do not halt: the next pass may buy everything again'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;funding'= {
            cand --since 'Count from this date, time or so long ago: 2026-01-31, 2026-01-31T12:00:00Z, 7d'
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;backtest'= {
            cand --data 'Take klines from this folder: SYMBOL*.csv[.gz|.zip], or one folder per symbol'
            cand --funding 'Take funding rates from this folder; without it there is none'
            cand --interval 'Decide this often, and download bars of this length; otherwise the configuration''s interval'
            cand --exchange-info 'Take steps and minimums from a recorded exchangeInfo'
            cand --from 'Begin with the first bar at or after this time'
            cand --to 'End with the last bar that closes at or before this time'
            cand --equity 'Begin with this much of the quote asset'
            cand --resume-after 'Trade again this long after a hard stop, instead of ending there'
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --fetch 'Download missing klines, funding and the listing into these folders first'
            cand --exact 'Decide exactly at every bar, without the screen'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help'
            cand --help 'Print help'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;sim'= {
            cand --listen 'Listen on this loopback address; port 0 picks a free one'
            cand --prices 'Take prices from here: synthetic, or a folder of recorded klines'
            cand --funding 'Settle funding at the recorded rates of this folder; without it, recorded prices have none'
            cand --seed 'Make up the same market for the same number'
            cand --symbols 'List the contracts named in a file, one a line, or this many made-up ones'
            cand --exchange-info 'Use the trading rules of a recorded exchangeInfo'
            cand --equity 'Begin with this much USDT, on futures and again on spot'
            cand --clock 'Let time pass by itself, or only with POST /sim/advance'
            cand --speed 'Let real time pass this many times as fast'
            cand --latency-ms 'Wait this long before processing a request'
            cand --api-key 'Know this key'
            cand --api-secret 'Check signatures against this secret: HMAC text, or an Ed25519 PEM'
            cand --config 'Read this configuration file'
            cand --profile 'Use NAME.toml of the configuration folder, with a state folder of its own'
            cand --set 'Set one value, over file and environment (repeatable)'
            cand --state-dir 'Keep ledger, trades.csv, HALT and lock here'
            cand --format 'Show the result in this form, where the command has it'
            cand --out 'Write the result to this file too'
            cand --color 'Use colours'
            cand --demo 'Use the built-in paper account on synthetic prices; nothing leaves this machine'
            cand --json 'Same as --format json'
            cand -q 'Say nothing but the result and errors'
            cand --quiet 'Say nothing but the result and errors'
            cand -v 'Say what is being done'
            cand --verbose 'Say what is being done'
            cand --yes 'Ask nothing'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
        &'rebal;help'= {
            cand scan 'Choose the coins to hold, and say why each was taken or left'
            cand plan 'Show what a pass would do now, and why; sends nothing'
            cand rebalance 'Bring the portfolio back to its targets: one pass'
            cand risk-check 'Show every risk figure with its limit; close everything where the hard stop fires'
            cand report 'Show the account now with its last 30 days, or what a period came to'
            cand flatten 'Close every position at the market, cancel our orders, and halt trading'
            cand funding 'Show funding paid, due and forecast, per coin; sends nothing'
            cand backtest 'Decide as a pass does, over recorded prices; sends nothing'
            cand sim 'Serve the simulated exchange over HTTP, for practice and tests'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'rebal;help;scan'= {
        }
        &'rebal;help;plan'= {
        }
        &'rebal;help;rebalance'= {
        }
        &'rebal;help;risk-check'= {
        }
        &'rebal;help;report'= {
        }
        &'rebal;help;flatten'= {
        }
        &'rebal;help;funding'= {
        }
        &'rebal;help;backtest'= {
        }
        &'rebal;help;sim'= {
        }
        &'rebal;help;help'= {
        }
    ]
    $completions[$command]
}
