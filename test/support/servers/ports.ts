import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/**
 * A port that is free now, below the range from which Linux draws the ports of outgoing connections (32768 and
 * up): while a server is down between two starts, nobody else is given its port, and a client that knocks
 * meanwhile cannot be connected to itself. Two processes may still draw the same one: callers try again.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000)
    if (await isFree(port)) return port
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
