
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'rebal' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'rebal'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'rebal' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('scan', 'scan', [CompletionResultType]::ParameterValue, 'Choose the coins to hold, and say why each was taken or left')
            [CompletionResult]::new('plan', 'plan', [CompletionResultType]::ParameterValue, 'Show what a pass would do now, and why; sends nothing')
            [CompletionResult]::new('rebalance', 'rebalance', [CompletionResultType]::ParameterValue, 'Bring the portfolio back to its targets: one pass')
            [CompletionResult]::new('risk-check', 'risk-check', [CompletionResultType]::ParameterValue, 'Show every risk figure with its limit; close everything where the hard stop fires')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Show the account now with its last 30 days, or what a period came to')
            [CompletionResult]::new('flatten', 'flatten', [CompletionResultType]::ParameterValue, 'Close every position at the market, cancel our orders, and halt trading')
            [CompletionResult]::new('funding', 'funding', [CompletionResultType]::ParameterValue, 'Show funding paid, due and forecast, per coin; sends nothing')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Ask, check, and write a configuration; arm an account for real money')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check everything that a pass needs, and say how to mend what is wrong')
            [CompletionResult]::new('backtest', 'backtest', [CompletionResultType]::ParameterValue, 'Decide as a pass does, over recorded prices; sends nothing')
            [CompletionResult]::new('sim', 'sim', [CompletionResultType]::ParameterValue, 'Serve the simulated exchange over HTTP, for practice and tests')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rebal;scan' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--apply', '--apply', [CompletionResultType]::ParameterName, 'Make it the universe that passes trade where basket.symbols is empty')
            [CompletionResult]::new('--rejected', '--rejected', [CompletionResultType]::ParameterName, 'Show every contract that was looked at and left, with the reason')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;plan' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Keep no record of the plan either')
            [CompletionResult]::new('--detailed-exitcode', '--detailed-exitcode', [CompletionResultType]::ParameterName, 'Exit with 20 where there is something to do')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;rebalance' {
            [CompletionResult]::new('--plan', '--plan', [CompletionResultType]::ParameterName, 'Carry out this plan, if what it was made from still holds')
            [CompletionResult]::new('--metrics-file', '--metrics-file', [CompletionResultType]::ParameterName, 'Write figures in Prometheus'' text format to this file, also after a pass that failed')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--dry-run', '--dry-run', [CompletionResultType]::ParameterName, 'Decide and show, send nothing')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;risk-check' {
            [CompletionResult]::new('--confirm', '--confirm', [CompletionResultType]::ParameterName, 'The id of the halt to lift, where nobody is there to type it')
            [CompletionResult]::new('--metrics-file', '--metrics-file', [CompletionResultType]::ParameterName, 'Write figures in Prometheus'' text format to this file, also after a check that failed')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--resume', '--resume', [CompletionResultType]::ParameterName, 'Lift the halt and measure the drawdown from here on')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;report' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'From this time on: 2026-01-31, 2026-01-31T12:00:00Z, or 14d for the last 14 days')
            [CompletionResult]::new('--until', '--until', [CompletionResultType]::ParameterName, 'Until this time, which is not part of it; now where it is left out')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Draw the dashboard again every so many seconds, at least 5')
            [CompletionResult]::new('--export-trades', '--export-trades', [CompletionResultType]::ParameterName, 'Write the executions of the period (all of them without one) to this file, as trades.csv has them')
            [CompletionResult]::new('--metrics-file', '--metrics-file', [CompletionResultType]::ParameterName, 'Write the figures for Prometheus'' textfile collector to this file')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--day', '--day', [CompletionResultType]::ParameterName, 'The last 24 hours')
            [CompletionResult]::new('--week', '--week', [CompletionResultType]::ParameterName, 'The last 7 days')
            [CompletionResult]::new('--month', '--month', [CompletionResultType]::ParameterName, 'The last 30 days')
            [CompletionResult]::new('--previous', '--previous', [CompletionResultType]::ParameterName, 'The period of the same length before')
            [CompletionResult]::new('--send', '--send', [CompletionResultType]::ParameterName, 'Send the period as a document over Telegram too: a page, or what --format says')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;flatten' {
            [CompletionResult]::new('--symbols', '--symbols', [CompletionResultType]::ParameterName, 'Close only these, by contract or by coin: ADAUSDT or ADA')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--no-halt', '--no-halt', [CompletionResultType]::ParameterName, 'Do not halt: the next pass may buy everything again')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;funding' {
            [CompletionResult]::new('--since', '--since', [CompletionResultType]::ParameterName, 'Count from this date, time or so long ago: 2026-01-31, 2026-01-31T12:00:00Z, 7d')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;init' {
            [CompletionResult]::new('--confirm', '--confirm', [CompletionResultType]::ParameterName, 'What to type at --arm-live, where nobody is there to type it')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--non-interactive', '--non-interactive', [CompletionResultType]::ParameterName, 'Ask nothing: take --set for what differs from the defaults')
            [CompletionResult]::new('--arm-live', '--arm-live', [CompletionResultType]::ParameterName, 'Allow a configuration with mode = "live" to trade: once per account')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;doctor' {
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--send-test', '--send-test', [CompletionResultType]::ParameterName, 'Send a test message to Telegram and one beat to heartbeat.url')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;backtest' {
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'Take klines from this folder: SYMBOL*.csv[.gz|.zip], or one folder per symbol')
            [CompletionResult]::new('--funding', '--funding', [CompletionResultType]::ParameterName, 'Take funding rates from this folder; without it there is none')
            [CompletionResult]::new('--interval', '--interval', [CompletionResultType]::ParameterName, 'Decide this often, counted from the first bar and not from midnight UTC: a whole multiple of the bars; and download bars of this length. Otherwise the configuration''s interval')
            [CompletionResult]::new('--exchange-info', '--exchange-info', [CompletionResultType]::ParameterName, 'Take steps and minimums from a recorded exchangeInfo')
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'Begin with the first bar at or after this time')
            [CompletionResult]::new('--to', '--to', [CompletionResultType]::ParameterName, 'End with the last bar that closes at or before this time')
            [CompletionResult]::new('--equity', '--equity', [CompletionResultType]::ParameterName, 'Begin with this much of the quote asset')
            [CompletionResult]::new('--resume-after', '--resume-after', [CompletionResultType]::ParameterName, 'Trade again this long after a hard stop, instead of ending there')
            [CompletionResult]::new('--export-trades', '--export-trades', [CompletionResultType]::ParameterName, 'Write every execution to this file, a row each')
            [CompletionResult]::new('--sweep', '--sweep', [CompletionResultType]::ParameterName, 'Try these values of a configuration key, with those of every other --sweep (repeatable)')
            [CompletionResult]::new('--jobs', '--jobs', [CompletionResultType]::ParameterName, 'Run so many settings at a time; all cores where it is not given')
            [CompletionResult]::new('--sort', '--sort', [CompletionResultType]::ParameterName, 'Order settings by a figure: return, final_equity, max_drawdown, trades, turnover, fees, funding …')
            [CompletionResult]::new('--folds', '--folds', [CompletionResultType]::ParameterName, 'Choose on one part of the period and look at the next, K times')
            [CompletionResult]::new('--shard', '--shard', [CompletionResultType]::ParameterName, 'Run part I of N, counted from 0, and write it as JSON lines for --merge')
            [CompletionResult]::new('--merge', '--merge', [CompletionResultType]::ParameterName, 'Join the parts of a sweep that --shard wrote')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--fetch', '--fetch', [CompletionResultType]::ParameterName, 'Download missing klines, funding and the listing into these folders first')
            [CompletionResult]::new('--exact', '--exact', [CompletionResultType]::ParameterName, 'Decide exactly at every bar, without the screen')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;sim' {
            [CompletionResult]::new('--listen', '--listen', [CompletionResultType]::ParameterName, 'Listen on this loopback address; port 0 picks a free one')
            [CompletionResult]::new('--prices', '--prices', [CompletionResultType]::ParameterName, 'Take prices from here: synthetic, or a folder of recorded klines')
            [CompletionResult]::new('--funding', '--funding', [CompletionResultType]::ParameterName, 'Settle funding at the recorded rates of this folder; without it, recorded prices have none')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Make up the same market for the same number')
            [CompletionResult]::new('--symbols', '--symbols', [CompletionResultType]::ParameterName, 'List the contracts named in a file, one a line, or this many made-up ones')
            [CompletionResult]::new('--exchange-info', '--exchange-info', [CompletionResultType]::ParameterName, 'Use the trading rules of a recorded exchangeInfo')
            [CompletionResult]::new('--equity', '--equity', [CompletionResultType]::ParameterName, 'Begin with this much USDT, on futures and again on spot')
            [CompletionResult]::new('--clock', '--clock', [CompletionResultType]::ParameterName, 'Let time pass by itself, or only with POST /sim/advance')
            [CompletionResult]::new('--speed', '--speed', [CompletionResultType]::ParameterName, 'Let real time pass this many times as fast')
            [CompletionResult]::new('--latency-ms', '--latency-ms', [CompletionResultType]::ParameterName, 'Wait this long before processing a request')
            [CompletionResult]::new('--api-key', '--api-key', [CompletionResultType]::ParameterName, 'Know this key')
            [CompletionResult]::new('--api-secret', '--api-secret', [CompletionResultType]::ParameterName, 'Check signatures against this secret: HMAC text, or an Ed25519 PEM')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Use NAME.toml of the configuration folder, with a state folder of its own')
            [CompletionResult]::new('--set', '--set', [CompletionResultType]::ParameterName, 'Set one value, over file and environment (repeatable)')
            [CompletionResult]::new('--state-dir', '--state-dir', [CompletionResultType]::ParameterName, 'Keep ledger, trades.csv, HALT and lock here')
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Show the result in this form, where the command has it')
            [CompletionResult]::new('--out', '--out', [CompletionResultType]::ParameterName, 'Write the result to this file too')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'Use colours')
            [CompletionResult]::new('--demo', '--demo', [CompletionResultType]::ParameterName, 'Use the built-in paper account on synthetic prices; nothing leaves this machine')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Same as --format json')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Say nothing but the result and errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is being done')
            [CompletionResult]::new('--yes', '--yes', [CompletionResultType]::ParameterName, 'Ask nothing')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
        'rebal;help' {
            [CompletionResult]::new('scan', 'scan', [CompletionResultType]::ParameterValue, 'Choose the coins to hold, and say why each was taken or left')
            [CompletionResult]::new('plan', 'plan', [CompletionResultType]::ParameterValue, 'Show what a pass would do now, and why; sends nothing')
            [CompletionResult]::new('rebalance', 'rebalance', [CompletionResultType]::ParameterValue, 'Bring the portfolio back to its targets: one pass')
            [CompletionResult]::new('risk-check', 'risk-check', [CompletionResultType]::ParameterValue, 'Show every risk figure with its limit; close everything where the hard stop fires')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Show the account now with its last 30 days, or what a period came to')
            [CompletionResult]::new('flatten', 'flatten', [CompletionResultType]::ParameterValue, 'Close every position at the market, cancel our orders, and halt trading')
            [CompletionResult]::new('funding', 'funding', [CompletionResultType]::ParameterValue, 'Show funding paid, due and forecast, per coin; sends nothing')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Ask, check, and write a configuration; arm an account for real money')
            [CompletionResult]::new('doctor', 'doctor', [CompletionResultType]::ParameterValue, 'Check everything that a pass needs, and say how to mend what is wrong')
            [CompletionResult]::new('backtest', 'backtest', [CompletionResultType]::ParameterValue, 'Decide as a pass does, over recorded prices; sends nothing')
            [CompletionResult]::new('sim', 'sim', [CompletionResultType]::ParameterValue, 'Serve the simulated exchange over HTTP, for practice and tests')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'rebal;help;scan' {
            break
        }
        'rebal;help;plan' {
            break
        }
        'rebal;help;rebalance' {
            break
        }
        'rebal;help;risk-check' {
            break
        }
        'rebal;help;report' {
            break
        }
        'rebal;help;flatten' {
            break
        }
        'rebal;help;funding' {
            break
        }
        'rebal;help;init' {
            break
        }
        'rebal;help;doctor' {
            break
        }
        'rebal;help;backtest' {
            break
        }
        'rebal;help;sim' {
            break
        }
        'rebal;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
