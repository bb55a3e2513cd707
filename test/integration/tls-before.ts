import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createServer, type TLSSocket } from 'node:tls'
import { promisify } from 'node:util'

/** TLS before a server that speaks none, as a load balancer does it. */
export interface TlsBefore {
  /** https://127.0.0.1:… */
  readonly url: string
  /** What signed its certificate: itself. */
  readonly caFile: string
  close(): Promise<void>
}

/** @param days how long its certificate is valid @param folder where its files go */
export async function tlsBefore(
  url: string,
  folder: string,
  { days }: { readonly days: number },
): Promise<TlsBefore> {
  const [keyFile, caFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1']
  const files = ['-keyout', keyFile, '-out', caFile, '-days', String(days)]
  await promisify(execFile)('openssl', [...request, ...subject, ...files])
  const { hostname, port } = new URL(url)
  const open = new Set<TLSSocket>()
  const server = createServer(
    { key: await readFile(keyFile), cert: await readFile(caFile) },
    (client: TLSSocket) => {
      open.add(client)
      const behind = connect(Number(port), hostname)
      for (const [one, other] of [
        [client, behind],
        [behind, client],
      ] as const)
        one.on('error', () => other.destroy()).on('close', () => other.destroy())
      client.pipe(behind).pipe(client)
    },
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `https://127.0.0.1:${address.port}`,
    caFile,
    close: async () => {
      for (const client of open) client.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
