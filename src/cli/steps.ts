import type { Step } from '../capture/steps.ts'
import { paint } from './format.ts'

const signs = { create: '+', change: '~', remove: '-', request: '→' } as const
const colours = { create: 'green', change: 'yellow', remove: 'red', request: 'cyan' } as const

/** A plan for people: one line a step, under the name of its document. */
export function stepsText(steps: readonly Step[], stream: NodeJS.WritableStream): string {
  const lines: string[] = []
  let document: string | null = null
  for (const step of steps) {
    if (step.document !== document && step.document !== null) lines.push(paint('bold', step.document, stream))
    document = step.document
    lines.push(
      `${document === null ? '' : '  '}${paint(colours[step.action], signs[step.action], stream)} ${step.what}`,
    )
  }
  return lines.join('\n')
}
