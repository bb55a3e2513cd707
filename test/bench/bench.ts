import { runProgram } from '../support/program.ts'
import { cells } from './cells.ts'
import { optionsOf, readCommand } from './command-line.ts'
import { helpText } from './help.ts'
import { writeReport } from './report.ts'
import { runCell } from './run-cell.ts'
import { roundLine, summaryText } from './summary.ts'

/** `npm run bench -- <cell>`, or without a cell the report of all: see help.ts. */

// A cell of a report whose process was killed: nobody would read what it measures.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))

await runProgram(async () => {
  const command = readCommand(process.argv.slice(2), cells)
  switch (command.kind) {
    case 'help':
      process.stdout.write(helpText(cells))
      return 0
    case 'report':
      return (await writeReport(command)) ? 0 : 1
    case 'cell': {
      const { cell, json, flags, outside } = command
      const note = (text: string) => process.stderr.write(`# ${text}\n`)
      const summary = await runCell(
        cell,
        optionsOf(cell, flags),
        {
          note,
          onMeasurement: (measurement) => {
            const line = roundLine(cell, measurement)
            if (json) process.stdout.write(`${line}\n`)
            else note(line)
          },
        },
        { outside },
      )
      process.stdout.write(json ? `${JSON.stringify(summary)}\n` : summaryText(summary))
      return cell.counted !== true || summary.summary.every(({ met }) => met !== false) ? 0 : 1
    }
  }
})
