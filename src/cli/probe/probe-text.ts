import { duration, paint } from '../format.ts'
import { table } from '../table.ts'
import type { Probe } from './probe.ts'

const meanings: Readonly<Record<Probe['legs'][number]['name'], string>> = {
  written: '',
  committed: 'the mark is in the queue',
  claimed: 'a daemon has taken it',
  indexed: 'Elasticsearch has the document',
  acknowledged: 'the mark is settled',
  searchable: 'searches see it (since indexed)',
}

/** A probe for people: a line for each leg, how it ended, and what that says of triggers. */
export function probeText(found: Probe): string {
  const { document, id, arrived, by, legs, resolutionMs, notes, why } = found
  const writing =
    by === 'trigger' ? 'UPDATE of the row, triggers included' : 'sluice.enqueue; --touch takes the triggers'
  const total = legs.at(-1)?.atMs ?? 0
  return [
    paint('bold', id === null ? document : `${document} ${id}`),
    ...(legs.length === 0
      ? []
      : [
          table(
            [{ head: 'leg' }, { head: 'took', align: 'right' }, { head: 'at', align: 'right' }, { head: '' }],
            legs.map(({ name, tookMs, atMs }) => [
              name,
              duration(tookMs),
              duration(atMs),
              name === 'written' ? writing : meanings[name],
            ]),
          ),
          `From "claimed" on, a time may be ${duration(resolutionMs)} too long: that is how often was looked.`,
        ]),
    ...notes.map((note) => paint('yellow', `note: ${note}`)),
    '',
    arrived
      ? paint('green', `It arrived in ${duration(total)}.`)
      : [paint('yellow', 'It did not arrive:'), ...why.map((reason) => `  ${reason}`)].join('\n'),
    ...triggersLine(found),
  ].join('\n')
}

/** Nothing where they are as they should be and wrote the mark. In one line: it is the last, and may be all that is read. */
function triggersLine({ document, notes, triggers }: Probe): string[] {
  if (triggers === null) return []
  const { tried, enabled, gaps } = triggers
  // A note says why not, where --touch was given.
  const untried = `Triggers were not tried${notes.length > 0 ? '' : ' (--touch does that)'}`
  const found = enabled
    ? `by pg_trigger, those of ${document} are there and enabled`
    : `by pg_trigger, some of ${document} are gone or off`
  if (gaps.length > 0)
    return [
      paint(
        'red',
        `${tried ? 'Triggers' : untried}: ${found}. What goes by without a mark: ${gaps.join('; ')}`,
      ),
    ]
  return tried ? [] : [`${untried}: ${found}.`]
}
