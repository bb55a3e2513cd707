import type { Command } from 'commander'
import { doctorJson } from '../../answers/json/doctor.ts'
import { action, examples } from '../command.ts'
import type { CommandContext } from '../context.ts'
import { curlFor } from '../doctor/curl.ts'
import { diagnose } from '../doctor/diagnose.ts'
import { examine } from '../doctor/examine.ts'
import type { DoctorFinding } from '../doctor/finding.ts'
import { searchServer } from '../doctor/server-findings.ts'
import { type ExitCode, exitCodes } from '../exit-codes.ts'
import { paint } from '../format.ts'

export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('All that makes documents wrong or slow, each with evidence and remedy')
    .addHelpText(
      'after',
      `${examples(
        ['sluice doctor', 'what is wrong? Exit code 3 when something is'],
        ["sluice doctor --json | jq -r '.findings[].remedy'", 'what to do: SQL, or commands of a shell'],
      )}

It changes nothing. It looks at both servers (versions, clock, connections, TLS, disks, autovacuum, old transactions,
grants), at triggers, functions and partitions against the configuration, at roles and settings that keep triggers from
firing or rows from being read, at indices, aliases, templates, mappings and settings in Elasticsearch, and at documents,
daemons, schedules, runs and the last verify. docs/doctor.md has a table of all findings.
Notes are what somebody decided; they leave the exit code at 0.`,
    )
    .action(action(doctor))
}

async function doctor(context: CommandContext): Promise<ExitCode> {
  const settings = await context.settings()
  const schedules = await context.schedules()
  const { pool } = await context.database()
  const examined = await examine(pool, await context.elasticsearch(), settings, schedules)
  const findings = diagnose(examined, curlFor(settings.elasticsearch), new Date())
  const { postgres, elasticsearch } = examined.servers
  const servers = { postgres: postgres.version, elasticsearch: searchServer(elasticsearch) }
  context.output.note(`Postgres ${servers.postgres}, ${servers.elasticsearch}`)
  context.output.result(doctorJson, { servers, findings: [...findings] }, () => findingsText(findings))
  const wrong = findings.some(({ severity }) => severity !== 'note')
  return wrong ? exitCodes.differences : exitCodes.done
}

const COLOURS = { error: 'red', warning: 'yellow', note: 'cyan' } as const

function findingsText(findings: readonly DoctorFinding[]): string {
  const nothing = findings.every(({ severity }) => severity === 'note') ? ['Nothing is wrong.'] : []
  return [...nothing, ...findings.map(findingText)].join('\n\n')
}

function findingText({ severity, document, name, what, evidence, remedy, advice }: DoctorFinding): string {
  const subject = document === null ? '' : `${document} `
  return [
    `${paint(COLOURS[severity], severity)}  ${subject}${what} (${name})`,
    ...(evidence === null ? [] : [`  ${evidence}`]),
    ...(remedy === null ? [] : [`  → ${remedy}`]),
    ...(advice === null ? [] : [`  ${advice}`]),
  ].join('\n')
}
