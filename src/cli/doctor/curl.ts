import type { ElasticsearchSettings } from '../../config/types.ts'

/** A request to Elasticsearch as a command line, to be pasted. */
export type Curl = (method: string, path: string, body?: object) => string

/**
 * Shows no secret: an API key is taken from the environment, and a password is asked for. @param settings its URL holds
 * no credentials; of several nodes the first is asked
 */
export function curlFor({ url, apiKey, username, caFile }: Omit<ElasticsearchSettings, 'password'>): Curl {
  const [node = ''] = url.split(',')
  const shown = [
    ...(caFile === undefined ? [] : ['--cacert', quoted(caFile)]),
    ...(apiKey === undefined ? [] : ['-H', '"Authorization: ApiKey $ELASTICSEARCH_API_KEY"']),
    ...(username === undefined ? [] : ['-u', quoted(username)]),
  ]
  return (method, path, body) =>
    [
      'curl',
      ...shown,
      '-X',
      method,
      quoted(`${node.trim().replace(/\/$/, '')}${path}`),
      ...(body === undefined
        ? []
        : ['-H', quoted('Content-Type: application/json'), '-d', quoted(JSON.stringify(body))]),
    ].join(' ')
}

/** For a POSIX shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}
