import { CommanderError } from 'commander'
import { UsageError } from '../errors.ts'
import { exitCodeOf, exitCodes } from './exit-codes.ts'
import { muteConfigWarnings } from './node-warnings.ts'
import { printError } from './output.ts'
import { createProgram } from './program.ts'

muteConfigWarnings()
// `sluice status | head -1`: the reader has seen enough.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

const json = process.argv.includes('--json')

try {
  await createProgram({ json }).parseAsync()
} catch (error) {
  if (!(error instanceof CommanderError)) {
    process.exitCode = exitCodeOf(error)
    printError(error, { json })
  } else if (error.exitCode === 0) {
    process.exitCode = exitCodes.done
  } else {
    // Commander has printed its text already, and help for a missing command.
    process.exitCode = exitCodes.usage
    const message =
      error.code === 'commander.help' ? 'no command was given' : error.message.replace(/^error: /, '')
    if (json) printError(new UsageError(message, { remedy: 'sluice --help lists the commands.' }), { json })
  }
}
