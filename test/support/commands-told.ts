import type { Command } from 'commander'

/** Commands of the program that a text tells somebody to type. */

/** By its name or by the names of both levels (`failed list`); undefined where there is none. */
function commandOf(program: Command, words: readonly string[]): Command | undefined {
  return words.reduce<Command | undefined>(
    (command, word, n) =>
      command?.commands.find((one) => one.name() === word) ?? (n === 0 ? undefined : command),
    program,
  )
}

/** Of what follows `sluice `: what does not exist, the command or options of it; empty where all does. */
export function unknownIn(program: Command, told: string): readonly string[] {
  const words = told.trim().split(/\s+/)
  const command = commandOf(program, words.filter((word) => /^[a-z]+$/.test(word)).slice(0, 2))
  if (command === undefined) return [`sluice ${told}`]
  const known = [...command.options, ...program.options].map(({ long }) => long)
  const flags = [...told.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([flag]) => flag)
  return flags
    .filter((flag) => flag !== '--help' && !known.includes(flag))
    .map((flag) => `sluice ${told}: ${flag}`)
}
