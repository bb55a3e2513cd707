import type pg from 'pg'

/** A gate that a batch stops at, until it is let through. */
export function gate() {
  let arrived: () => void = () => {}
  let open: () => void = () => {}
  const reached = new Promise<void>((resolve) => {
    arrived = resolve
  })
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const pass = () => {
    arrived()
    return opened
  }
  return { reached, open: () => open(), pass }
}

/** A pool whose clients call `before` ahead of each statement. The server and the statements are the real ones. */
export function watchedPool(pool: pg.Pool, before: (statement: string) => Promise<void>): pg.Pool {
  const watch = (client: pg.PoolClient) =>
    new Proxy(client, {
      get: (target, property) => {
        const value = Reflect.get(target, property)
        if (property !== 'query') return typeof value === 'function' ? value.bind(target) : value
        return async (statement: string | { text: string }, ...rest: unknown[]) => {
          await before(typeof statement === 'string' ? statement : statement.text)
          return Reflect.apply(target.query, target, [statement, ...rest])
        }
      },
    })
  return new Proxy(pool, {
    get: (target, property) => {
      const value = Reflect.get(target, property)
      if (property !== 'connect') return typeof value === 'function' ? value.bind(target) : value
      return async () => watch(await target.connect())
    },
  })
}
