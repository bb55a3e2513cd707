import { describe, expect, test, vi } from 'vitest'
import { fingerprintOf, judgeToken } from '../../src/admin/token.ts'

const { timingSafeEqual } = vi.hoisted(() => ({ timingSafeEqual: vi.fn() }))
vi.mock('node:crypto', async (original) => {
  const crypto = await original<typeof import('node:crypto')>()
  timingSafeEqual.mockImplementation(crypto.timingSafeEqual)
  return { ...crypto, timingSafeEqual }
})

describe('the token', () => {
  const token = '0123456789abcdef'
  test.each([
    [undefined, 'none'],
    [`Bearer ${token}`, 'right'],
    [`bearer   ${token} `, 'right'],
    [`Bearer ${token}0`, 'wrong'],
    [`Bearer ${token.slice(1)}`, 'wrong'],
    [token, 'wrong'],
    ['Bearer', 'wrong'],
    ['', 'wrong'],
    [`Basic ${token}`, 'wrong'],
    [`Basic Bearer ${token}`, 'wrong'],
    [`Bearer ${token} ${token}`, 'wrong'],
  ])('%s is %s', (header, shown) => {
    expect(judgeToken(header, token)).toBe(shown)
  })

  test.each([
    [`Bearer ${token}`, token],
    ['Bearer 0', token],
    [`Bearer ${token}${token}`, token],
    ['Bearer x', null],
  ])('%s is compared in constant time, by digests of one length', (header, own) => {
    timingSafeEqual.mockClear()
    judgeToken(header, own)
    expect(timingSafeEqual).toHaveBeenCalledTimes(1)
    for (const digest of timingSafeEqual.mock.calls[0] ?? []) expect(digest.byteLength).toBe(32)
    // Its word is the one that counts: no other comparison beside it.
    timingSafeEqual.mockReturnValueOnce(false)
    expect(judgeToken(header, own)).toBe('wrong')
  })

  test('none is right where none is set', () => {
    expect(judgeToken('Bearer ', null)).toBe('wrong')
    expect(judgeToken('Bearer null', null)).toBe('wrong')
    expect(judgeToken(undefined, null)).toBe('none')
  })

  test('its fingerprint tells it apart and says nothing of it', () => {
    expect(fingerprintOf(token)).toMatch(/^[\da-f]{8}$/)
    expect(fingerprintOf(token)).not.toBe(fingerprintOf(`${token}0`))
  })
})
