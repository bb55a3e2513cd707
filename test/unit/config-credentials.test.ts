import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadBaseSettings } from '../../src/config/load.ts'
import { describeError } from '../../src/errors.ts'

/** Settings in files: what systemd, Docker and Kubernetes hand over. */

let cwd: string
let directory: string
beforeEach(async () => {
  cwd = await mkdtemp(join(tmpdir(), 'sluice-credentials-'))
  directory = join(cwd, 'credentials')
  await mkdir(directory)
})
afterEach(() => rm(cwd, { recursive: true }))

const put = (name: string, text: string) => writeFile(join(directory, name), text)
const load = (env: Readonly<Record<string, string>> = {}) =>
  loadBaseSettings({ cwd, env: { CREDENTIALS_DIRECTORY: directory, ...env } })

/** What a user reads, with the temporary folder left out. */
async function complaint(env: Readonly<Record<string, string>> = {}): Promise<string> {
  const error = await load(env).then(
    () => 'nothing',
    (refused: unknown) => refused,
  )
  return describeError(error).replaceAll(cwd, '.')
}

describe('a file of CREDENTIALS_DIRECTORY that is named as a variable', () => {
  it('states it, with or without a newline at its end', async () => {
    await put('DATABASE_URL', 'postgres://me:secret@localhost/shop\n')
    await put('ELASTICSEARCH_URL', 'https://search:9200')
    await put('ELASTICSEARCH_API_KEY', 'a2V5\r\n')
    const { postgres, elasticsearch } = await load()
    expect(postgres).toBe('postgres://me:secret@localhost/shop')
    expect(elasticsearch).toEqual({ url: 'https://search:9200', apiKey: 'a2V5' })
  })

  it('beats .env, and the environment beats it; what is set to nothing hides nothing', async () => {
    await writeFile(join(cwd, '.env'), 'BATCH_SIZE=7\nCONCURRENCY=9\nMAX_RETRIES=4')
    await put('BATCH_SIZE', '8')
    await put('CONCURRENCY', '2')
    await put('MAX_RETRIES', '\n')
    const { limits } = await load({ CONCURRENCY: '3', BATCH_SIZE: ' ' })
    expect(limits).toMatchObject({ batchSize: 8, concurrency: 3, maxRetries: 4 })
  })

  it('is read again at every loading: a credential can be replaced', async () => {
    await put('ELASTICSEARCH_URL', 'https://search:9200')
    await put('ELASTICSEARCH_API_KEY', 'old')
    expect((await load()).elasticsearch?.apiKey).toBe('old')
    await put('ELASTICSEARCH_API_KEY', 'new')
    expect((await load()).elasticsearch?.apiKey).toBe('new')
  })

  it('may be a link, as in a volume of Kubernetes, beside files that are nobody’s business', async () => {
    await mkdir(join(directory, '..data'))
    await put('..data/BATCH_SIZE', '8')
    await symlink('..data/BATCH_SIZE', join(directory, 'BATCH_SIZE'))
    await put('postgres_password', 'two\nlines')
    expect((await load()).limits.batchSize).toBe(8)
  })
})

describe('a credential that cannot be used is named, and not shown', () => {
  it('a bad value', async () => {
    await put('DATABASE_URL', 'mysql://me:hunter2@localhost/shop')
    const said = await complaint()
    expect(said).toContain(
      'DATABASE_URL: got mysql://me:***@localhost/shop in CREDENTIALS_DIRECTORY, expected',
    )
    expect(said).not.toContain('hunter2')
  })

  it('several lines', async () => {
    await put('ELASTICSEARCH_PASSWORD', 'hunter2\nhunter3\n')
    expect(await complaint()).toBe(
      './credentials/ELASTICSEARCH_PASSWORD: holds several lines, expected the value alone',
    )
  })

  it('a folder of that name', async () => {
    await mkdir(join(directory, 'DATABASE_URL'))
    expect(await complaint()).toMatch(/^\.\/credentials\/DATABASE_URL: cannot be read: EISDIR/)
  })

  it('a directory that is not there', async () => {
    expect(await complaint({ CREDENTIALS_DIRECTORY: join(cwd, 'nowhere') })).toMatch(
      /^CREDENTIALS_DIRECTORY: cannot be read: ENOENT/,
    )
  })

  // Root may read everything.
  it.skipIf(process.getuid?.() === 0)('a file that is closed to us', async () => {
    await put('DATABASE_URL', 'postgres://localhost/shop')
    await chmod(join(directory, 'DATABASE_URL'), 0)
    expect(await complaint()).toMatch(/^\.\/credentials\/DATABASE_URL: cannot be read: EACCES/)
  })
})
