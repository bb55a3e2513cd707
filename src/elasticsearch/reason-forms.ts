/** The forms of reasons that real servers give: Elasticsearch 8.19, 9.5 and OpenSearch 3.4. Pure. */

/** A form of reason: what it looks like, and what is kept of it. `$1`… are names and types, never values. */
type Form = readonly [pattern: RegExp, kept: string]

/** A name in brackets: the field of a mapping, its type, a limit. */
const name = String.raw`\[([^\]]*)\]`
const form = (pattern: string, kept: string): Form => [new RegExp(`^${pattern}`, 's'), kept]

/**
 * Each is matched from the start of a reason, so that no value inside it can pass for one. The first that matches counts.
 */
export const forms: readonly Form[] = [
  // Which field.
  form(`failed to parse field ${name} of type ${name}`, 'failed to parse field [$1] of type [$2]'),
  form(
    `object mapping for ${name} tried to parse field ${name} as object, but (found a concrete value|got EOF)`,
    'object mapping for [$1] tried to parse field [$2] as object, but $3',
  ),
  form(
    `mapping set to strict, dynamic introduction of ${name} within ${name} is not allowed`,
    'mapping set to strict, dynamic introduction of [$1] within [$2] is not allowed',
  ),
  form(
    `Field ${name} is a metadata field`,
    'Field [$1] is a metadata field and cannot be added inside a document',
  ),
  form(`Cannot write to a field alias ${name}`, 'Cannot write to a field alias [$1]'),
  form(
    `error parsing field ${name}, (expected an object|with unknown parameter)`,
    'error parsing field [$1], $2',
  ),
  form(
    String.raw`Document contains at least one immense term in field="([^"]*)" \(whose UTF8 encoding is longer than the max length (\d+)\)`,
    'Document contains at least one immense term in field="$1" (whose UTF8 encoding is longer than the max length $2)',
  ),
  // OpenSearch says the same again as the cause of the form above.
  form('bytes can be at most ', ''),
  form(
    String.raw`Flattened field ${name} contains one immense field whose keyed encoding is longer than the allowed max length of (\d+) bytes`,
    'Flattened field [$1] contains one immense field whose keyed encoding is longer than the allowed max length of $2 bytes',
  ),
  form(
    String.raw`The ${name} field ${name} in doc .* has a different number of dimensions \[(\d+)\] than defined in the mapping \[(\d+)\]$`,
    'The [$1] field [$2] has a different number of dimensions [$3] than defined in the mapping [$4]',
  ),
  // Which limit.
  form(
    String.raw`The number of nested documents has exceeded the allowed limit of \[(\d+)\]`,
    'The number of nested documents has exceeded the allowed limit of [$1] (index.mapping.nested_objects.limit)',
  ),
  form(String.raw`Limit of ([a-z ]+) \[(\d+)\] has been exceeded`, 'Limit of $1 [$2] has been exceeded'),
  form(
    String.raw`(Document nesting depth|Number value length|String value length) \(\d+\) exceeds the maximum allowed \((\d+)`,
    '$1 exceeds the maximum allowed ($2)',
  ),
  // What is wrong with the value.
  form(
    String.raw`failed to parse date field \[.*\] with format \[([^\]]*)\]\]?$`,
    'failed to parse date field with format [$1]',
  ),
  form('For input string: ', 'not a number'),
  form(
    String.raw`Failed to parse value \[.*\] as only \[true\] or \[false\] are allowed`,
    'only [true] or [false] are allowed',
  ),
  form(
    String.raw`Value \[.*\] is out of range for an? (byte|short|integer|long|unsigned_long)$`,
    'out of range for $1',
  ),
  form(
    String.raw`Numeric value \(.*\) out of range of (?:Java )?(byte|short|int|long)\b`,
    'out of range of $1',
  ),
  form(`${name} supports only finite values, but got `, '[$1] supports only finite values'),
  form(String.raw`Current token \(([A-Z_]+)\) not (numeric|of boolean type)`, 'found $1, which is not $2'),
  form(String.raw`Expected text at \d+:\d+ but found ([A-Z_]+)$`, 'expected text but found $1'),
  form("Can't get text on a ([A-Z_]+) at ", 'expected text but found $1'),
  form('Cannot parse object( or array)? as (?:a )?(number|date value)$', 'cannot parse object$1 as $2'),
  form(String.raw`'.*' is not an IP string literal\.?$`, 'not an IP string literal'),
  form(String.raw`date\[.*\] is (before|after) `, 'date is $1 what nanosecond resolution can hold'),
  form('unsupported symbol ', 'unsupported symbol in geohash'),
  form('illegal (latitude|longitude) value ', 'illegal $1 value'),
  form(String.raw`Required \[(lat|lon)\]$`, 'field [$1] missing'),
  form(String.raw`field \[(lat|lon)\] missing$`, 'field [$1] missing'),
  form(String.raw`min value \(.*\) is greater than max value `, 'min value is greater than max value'),
  form(String.raw`weight must be in the interval \[([\d.]+)\]`, 'weight must be in the interval [$1]'),
  form(
    String.raw`(?:Failed to parse object: )?expecting token of type \[([A-Z_]+)\] but found \[([A-Z_]+)\]$`,
    'expecting token of type [$1] but found [$2]',
  ),
  form(
    String.raw`input must be a string or array, but was \[([A-Z_]+)\]$`,
    'input must be a string or array, but was [$1]',
  ),
  form(
    String.raw`The depth of the nested array field has exceeded the allowed limit of \[(\d+)\]`,
    'The depth of the nested array field has exceeded the allowed limit of [$1] (index.mapping.depth.limit)',
  ),
  // A name of a json column's object: an unknown one of a strict mapping is told, too.
  form("Duplicate field '([^']*)'", 'Duplicate field [$1]'),
  // What is wrong with the request.
  form(String.raw`Malformed action/metadata line \[(\d+)\]`, 'Malformed action/metadata line [$1]'),
  form(
    String.raw`Action/metadata line \[(\d+)\] contains an unknown parameter`,
    'Action/metadata line [$1] contains an unknown parameter',
  ),
  form(
    String.raw`Validation Failed: 1: id \[.*\] is too long, must be no longer than (\d+) bytes`,
    'id is too long, must be no longer than $1 bytes',
  ),
  form(
    String.raw`Validation Failed: 1: illegal version value \[(-?\d+)\] for version type \[([A-Z_]+)\]`,
    'illegal version value [$1] for version type [$2]',
  ),
  form('Validation Failed: 1: id is missing', 'id is missing'),
  form(`routing is required for ${name}/`, 'routing is required for [$1]'),
  form(`pipeline with id ${name} does not exist$`, 'pipeline with id [$1] does not exist'),
  form(`no write index is defined for alias ${name}`, 'no write index is defined for alias [$1]'),
  form(`unknown index sort field:${name}$`, 'unknown index sort field:[$1]'),
  // What is wrong with the server: its reasons may hold the whole request, source and all.
  form(String.raw`(\[[^\]]*\]\[\d+\]) primary shard is not active`, '$1 primary shard is not active'),
  form(String.raw`\[([a-z_]+)\] Data too large`, '[$1] Data too large'),
]
