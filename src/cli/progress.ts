import { count, duration } from './format.ts'

/** How far long work is. */
export interface ProgressState {
  readonly done: number
  /** null until it is known. */
  readonly total: number | null
  /** False where `total` is an estimate. */
  readonly exact?: boolean
  readonly perSecond: number | null
  readonly remainingMs: number | null
}

export interface Progress {
  update(state: ProgressState): void
  /** Takes the bar away; prints the line, if there is one. Safe to call twice. */
  end(line?: string): void
}

export interface ProgressOptions {
  readonly stream: NodeJS.WritableStream & { readonly isTTY?: boolean }
  readonly silent: boolean
  /** Milliseconds, monotonic. */
  readonly now: () => number
}

/** Between two lines where there is no terminal: a log of an hour stays readable. */
const lineEveryMs = 5000

export async function createProgress(
  label: string,
  { stream, silent, now }: ProgressOptions,
): Promise<Progress> {
  if (silent) return { update: () => undefined, end: () => undefined }
  return stream.isTTY ? bar(label, stream) : lines(label, stream, now)
}

async function bar(label: string, stream: NodeJS.WritableStream): Promise<Progress> {
  // Loaded here: every command has progress, and few have a bar.
  const { Presets, SingleBar } = await import('cli-progress')
  const drawn = new SingleBar(
    {
      stream,
      format: `${label} {bar} {percentage}%  {text}`,
      barsize: 30,
      hideCursor: true,
      clearOnComplete: true,
      // The bar's own clock stops when nothing is updated; ours is the database's.
      noTTYOutput: false,
    },
    Presets.shades_classic,
  )
  let started = false
  return {
    update: (state) => {
      const total = Math.max(state.total ?? 0, state.done, 1)
      if (!started) drawn.start(total, 0, { text: '' })
      started = true
      drawn.setTotal(total)
      drawn.update(state.done, { text: progressText(state) })
    },
    end: (line) => {
      if (started) drawn.stop()
      started = false
      if (line !== undefined) stream.write(`${line}\n`)
    },
  }
}

function lines(label: string, stream: NodeJS.WritableStream, now: () => number): Progress {
  let last: number | null = null
  return {
    update: (state) => {
      if (last !== null && now() - last < lineEveryMs) return
      last = now()
      stream.write(`${label} ${progressText(state)}\n`)
    },
    end: (line) => {
      if (line !== undefined) stream.write(`${line}\n`)
    },
  }
}

/** `52,000 of 171,075 (30 %) · 18,400/s · 6.5 s left` */
export function progressText({ done, total, exact = true, perSecond, remainingMs }: ProgressState): string {
  const of =
    total === null
      ? count(done)
      : `${count(done)} of ${exact ? '' : 'about '}${count(total)} (${share(done, total)} %)`
  const rate = perSecond === null ? [] : [`${count(Math.round(perSecond))}/s`]
  const left = remainingMs === null ? [] : [`${duration(remainingMs)} left`]
  return [of, ...rate, ...left].join(' · ')
}

/** Never 100 before it is done. */
function share(done: number, total: number): number {
  return total === 0 || done >= total ? 100 : Math.min(99, Math.round((done / total) * 100))
}
