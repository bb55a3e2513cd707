import { describe, expect, it } from 'vitest'
import { createProgram } from '../../src/cli/program.ts'

const { commands } = await createProgram({ json: false })

describe('every command', () => {
  it('is there', () => {
    expect(commands.map((command) => command.name())).toEqual([
      'init',
      'migrate',
      'install',
      'check',
      'uninstall',
      'detach',
      'run',
      'doctor',
      'probe',
      'status',
      'backfill',
      'verify',
      'reindex',
      'optimize',
      'runs',
      'failed',
      'enqueue',
      'preview',
      'inspect',
      'pause',
      'resume',
      'cleanup',
      'demo',
    ])
  })

  it.each(commands.map((command) => [command.name(), command] as const))(
    '%s has help with examples',
    (name, command) => {
      let text = ''
      command.configureOutput({ writeOut: (part) => (text += part) }).exitOverride()
      expect(() => command.parse(['--help'], { from: 'user' })).toThrow('(outputHelp)')
      expect(text).toContain('Examples:\n  ')
      expect(text.slice(text.indexOf('Examples:'))).toContain(`sluice ${name}`)
      expect(text).toContain('--json')
    },
  )
})
