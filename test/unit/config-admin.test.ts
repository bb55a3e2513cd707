import { describe, expect, it } from 'vitest'
import { type Layers, mergeSettings } from '../../src/config/merge.ts'

function merge(layers: Partial<Layers>) {
  return mergeSettings({ flags: {}, environment: {}, fromFiles: new Map(), config: {}, ...layers }, 'host-1')
}

describe('HTTP for operators', () => {
  const token = '0123456789abcdef'

  it('takes its settings from environment and configuration', () => {
    const environment = { ADMIN_PORT: '0', ADMIN_HOSTS: 'Search.internal, b' }
    expect(merge({ environment, config: { admin: { host: '::1', port: 'off', token } } })).toMatchObject({
      problems: [],
      settings: { admin: { host: '::1', port: 0, token, hosts: ['search.internal', 'b'] } },
    })
    expect(merge({ environment: { ADMIN_PORT: 'off' } }).settings.admin.port).toBeNull()
  })

  it('believes proxies that are named, and lets nobody in through one without a token', () => {
    const environment = { ADMIN_TRUSTED_PROXIES: '127.0.0.1, 10.0.0.0/8,fd00::/8' }
    expect(merge({ environment: { ...environment, ADMIN_TOKEN: token } })).toMatchObject({
      problems: [],
      settings: { admin: { trustedProxies: ['127.0.0.1', '10.0.0.0/8', 'fd00::/8'] } },
    })
    expect(merge({ environment }).problems).toEqual([
      {
        where: 'ADMIN_TRUSTED_PROXIES',
        what: 'a proxy lets other machines in, and ADMIN_TOKEN is missing',
        remedy: expect.stringContaining('Set ADMIN_TOKEN'),
      },
    ])
  })

  it.each(['0.0.0.0', '::', '10.1.2.3', 'search', '127.0.0.1.example'])(
    'off this machine (%s) needs a token, or to be off',
    (host) => {
      expect(merge({ environment: { ADMIN_HOST: host } }).problems).toEqual([
        {
          where: 'ADMIN_HOST',
          what: `${host} lets other machines in, and ADMIN_TOKEN is missing`,
          remedy: expect.stringContaining('Set ADMIN_TOKEN'),
        },
      ])
      expect(merge({ environment: { ADMIN_HOST: host, ADMIN_TOKEN: token } }).problems).toEqual([])
      expect(merge({ environment: { ADMIN_HOST: host, ADMIN_PORT: 'off' } }).problems).toEqual([])
    },
  )

  it.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])('on this machine (%s) needs none', (host) => {
    expect(merge({ environment: { ADMIN_HOST: host } }).problems).toEqual([])
  })
})
