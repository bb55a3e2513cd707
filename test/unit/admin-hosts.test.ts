import { describe, expect, test } from 'vitest'
import { isCrossOrigin, isOurHost } from '../../src/admin/hosts.ts'

describe('hosts', () => {
  const settings = { host: 'Search', port: 1, token: null, hosts: ['b.internal'], trustedProxies: [] }
  test.each([
    ['localhost', true],
    ['localhost:9187', true],
    ['127.0.0.1:9187', true],
    ['[::1]:9187', true],
    ['[::1]', true],
    ['10.0.0.7', true],
    ['search:80', true],
    ['B.internal', true],
    ['evil.example', false],
    ['search.evil.example', false],
    ['b.internal.evil', false],
    ['localhost:9187@evil.example', false],
    ['localhost evil', false],
    ['127.0.0.1.', false],
    ['evil/localhost', false],
    ['evil@127.0.0.1:9187', false],
    ['0x7f.1', false],
    ['', false],
    [undefined, false],
  ])('%s: %s', (header, ours) => {
    expect(isOurHost(header, settings)).toBe(ours)
  })

  test.each([
    [{}, false],
    [{ origin: 'http://localhost:9187' }, false],
    [{ origin: 'https://localhost:9187' }, false],
    [{ origin: 'http://localhost:9188' }, true],
    [{ origin: 'http://localhost' }, true],
    [{ origin: 'null' }, true],
    [{ origin: '' }, true],
    [{ origin: 'http://localhost:9187', host: 'LOCALHOST:9187' }, false],
    [{ origin: 'http://localhost:9187', host: undefined }, true],
    [{ site: 'none' }, false],
    [{ site: 'same-origin' }, false],
    [{ site: 'same-site' }, true],
    [{ site: 'cross-site', origin: 'http://localhost:9187' }, true],
  ])('cross-origin %j: %s', (sender, cross) => {
    const none = { host: 'localhost:9187', origin: undefined, site: undefined }
    expect(isCrossOrigin({ ...none, ...sender })).toBe(cross)
  })
})
