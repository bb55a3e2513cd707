import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { judgePostgres } from '../../src/config/plaintext.ts'
import type { UnreachableError } from '../../src/errors.ts'
import { connectionError, createPool, isConnectionError } from '../../src/postgres/connect.ts'

/** What a server off this machine is spoken to by: as far as the handshake, which is where it is decided. */

const folder = mkdtempSync(join(tmpdir(), 'sluice-tls-'))
const pem = { key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') }
const servers: Server[] = []

beforeAll(() => {
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout', pem.key, '-out', pem.cert, '-days', '2']
  execFileSync('openssl', ['req', '-x509', ...made, ...subject], { stdio: 'ignore' })
})
afterAll(() => {
  for (const server of servers) server.close()
  rmSync(folder, { recursive: true })
})

/** Answers an SSLRequest, with S and TLS or with N; notes what came after that, and hangs up. */
async function startServer(tls: boolean): Promise<{ url: string; received: () => string }> {
  let received = ''
  const listen = (socket: Socket) =>
    socket
      .on('error', () => {})
      .on('data', (data) => {
        received += data.toString('latin1')
        socket.destroy()
      })
  const server = createServer((socket) => {
    socket
      .on('error', () => {})
      .once('data', () => {
        socket.write(tls ? 'S' : 'N')
        const options = { isServer: true, key: readFileSync(pem.key), cert: readFileSync(pem.cert) }
        listen(tls ? new TLSSocket(socket, options) : socket)
      })
  })
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  // As the configuration leaves an address off this machine.
  const { url } = judgePostgres('postgres://me:geheim@db/shop', new Set(), {})
  return { url: url.replace('@db', `@127.0.0.1:${port}`), received: () => received }
}

async function refusal(url: string): Promise<UnreachableError> {
  const pool = createPool(url, { max: 1, applicationName: 'test' })
  try {
    const error = await pool.query('SELECT 1').catch((thrown: unknown) => thrown)
    expect(isConnectionError(error)).toBe(true)
    return connectionError(error, url)
  } finally {
    await pool.end()
  }
}

describe('Postgres off this machine', () => {
  it('that speaks no TLS gets nothing to read, and the error says what to do', async () => {
    const { url, received } = await startServer(false)
    expect(await refusal(url)).toMatchObject({
      message: expect.stringContaining('does not support SSL'),
      remedy: expect.stringContaining('PLAINTEXT_HOSTS'),
    })
    expect(received()).toBe('')
  })

  it('whose certificate nobody vouches for gets nothing to read', async () => {
    const { url, received } = await startServer(true)
    expect(await refusal(url)).toMatchObject({
      message: expect.stringContaining('self-signed certificate'),
      remedy: expect.stringContaining('sslrootcert'),
    })
    expect(received()).toBe('')
  })

  it('is told who we are when its certificate is that of an authority that was named', async () => {
    const { url, received } = await startServer(true)
    const trusting = `${url}&sslrootcert=${encodeURIComponent(pem.cert)}`
    expect(String(await refusal(trusting))).not.toContain('certificate')
    expect(received()).toContain('shop')
  })
})
