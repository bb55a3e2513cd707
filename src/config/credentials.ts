import type { Problem } from './problems.ts'
import type { ElasticsearchSettings } from './types.ts'

/** Who we are to Elasticsearch, besides what its URL may say. */
export interface Credentials {
  readonly apiKey: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
}

interface Stated {
  readonly url: string | undefined
  readonly credentials: Credentials
  readonly caFile: string | undefined
}

interface Result {
  /** null without a URL. */
  readonly settings: ElasticsearchSettings | null
  readonly problems: readonly Problem[]
}

/** One kind of credentials, whole. Those in the URL are taken out of it, so that it can be printed and logged. */
export function elasticsearchSettings({ url, credentials, caFile }: Stated): Result {
  const { apiKey, username, password } = credentials
  const address = url === undefined ? null : withoutCredentials(url)
  const inUrl = address?.username !== undefined
  const problems: Problem[] = []
  if (apiKey !== undefined && (username !== undefined || password !== undefined)) {
    problems.push({
      where: 'ELASTICSEARCH_API_KEY',
      what: 'given together with ELASTICSEARCH_USERNAME or ELASTICSEARCH_PASSWORD, expected one of the two',
    })
  } else if ((username === undefined) !== (password === undefined)) {
    const [missing, there] = username === undefined ? ['USERNAME', 'PASSWORD'] : ['PASSWORD', 'USERNAME']
    problems.push({
      where: `ELASTICSEARCH_${missing}`,
      what: `is missing, expected with ELASTICSEARCH_${there}`,
    })
  } else if (inUrl && (apiKey !== undefined || username !== undefined)) {
    problems.push({
      where: 'ELASTICSEARCH_URL',
      what: 'holds a user name, and there are ELASTICSEARCH_API_KEY or ELASTICSEARCH_USERNAME too',
      remedy: 'State the credentials once.',
    })
  }
  if (address === null) return { settings: null, problems }
  const user = inUrl ? address : credentials
  return {
    settings: {
      url: address.url,
      ...(apiKey === undefined ? {} : { apiKey }),
      ...(user.username === undefined ? {} : { username: user.username }),
      ...(user.password === undefined ? {} : { password: user.password }),
      ...(caFile === undefined ? {} : { caFile }),
    },
    problems,
  }
}

interface Address {
  readonly url: string
  readonly username: string | undefined
  readonly password: string | undefined
}

/** @param urls checked: one URL, or several separated by commas. Credentials are those of the first that has some. */
function withoutCredentials(urls: string): Address {
  const parsed = urls.split(',').map((url) => new URL(url.trim()))
  const first = parsed.find(({ username }) => username !== '')
  const bare = parsed.map((url) => {
    const copy = new URL(url)
    copy.username = ''
    copy.password = ''
    return copy.href.replace(/\/$/, '')
  })
  return {
    url: bare.join(','),
    username: first && decodeURIComponent(first.username),
    password: first && decodeURIComponent(first.password),
  }
}
