import type { AddressInfo } from 'node:net'
import { createServer, connect as dial, type Socket } from 'node:net'

/** A virtual address, as a load balancer or a floating IP gives: clients stay where they are, the server changes. */
export interface Address {
  /** The URL of a server, by way of this address. */
  urlOf(server: string): string
  /** New connections lead to this port. `cut`: those there are break; otherwise they go on with the server they have. */
  lead(port: number, options: { readonly cut: boolean }): void
  close(): Promise<void>
}

export async function openAddress(port: number): Promise<Address> {
  let target = port
  const sockets = new Set<Socket>()
  const track = (socket: Socket) => {
    sockets.add(socket)
    socket.on('error', () => socket.destroy())
    socket.on('close', () => sockets.delete(socket))
  }
  const server = createServer((near) => {
    const far = dial(target, '127.0.0.1')
    track(near)
    track(far)
    near.pipe(far).pipe(near)
    near.on('close', () => far.destroy())
    far.on('close', () => near.destroy())
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: own } = server.address() as AddressInfo
  return {
    urlOf: (url) => Object.assign(new URL(url), { port: String(own) }).href,
    lead: (next, { cut }) => {
      target = next
      if (cut) for (const socket of sockets) socket.destroy()
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}
