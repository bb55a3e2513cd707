import { describe, expect, test } from 'vitest'
import { watermarkPassed } from '../../src/elasticsearch/disks.ts'

describe('which watermark a disk has passed', () => {
  const at = 'cluster.routing.allocation.disk'
  const GB = 1024 ** 3
  const shares = {
    [`${at}.watermark.low`]: '85%',
    [`${at}.watermark.high`]: '0.9',
    [`${at}.watermark.flood_stage`]: '95%',
  }
  const headroom = {
    ...shares,
    [`${at}.watermark.low.max_headroom`]: '200GB',
    [`${at}.watermark.high.max_headroom`]: '150gb',
    [`${at}.watermark.flood_stage.max_headroom`]: '-1',
  }
  const absolute = {
    [`${at}.watermark.low`]: '30gb',
    [`${at}.watermark.high`]: '20gb',
    [`${at}.watermark.flood_stage`]: '500mb',
  }
  test.each<[free: number, total: number, settings: Record<string, string>, passed: string | null]>([
    [15.1, 100, shares, null],
    [14.9, 100, shares, 'low'],
    [9.9, 100, shares, 'high'],
    [4.9, 100, shares, 'flood_stage'],
    [4.9, 100, { ...shares, [`${at}.threshold_enabled`]: 'false' }, null],
    // Of ten terabytes 1,500 GB would have to be free.
    [201, 10_000, headroom, 'flood_stage'],
    [501, 10_000, headroom, null],
    [199, 3_000, headroom, 'low'],
    [149.9, 2_900, headroom, 'high'],
    [30, 1_000, absolute, null],
    [25, 1_000, absolute, 'low'],
    [0.4, 1_000, absolute, 'flood_stage'],
    [1, 1_000, {}, null],
  ])('%d of %d GB free', (free, total, settings, passed) => {
    expect(watermarkPassed({ free: free * GB, total: total * GB }, settings)).toBe(passed)
  })
})
