import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { dashboardHash, HASH_FILE } from '../support/pictured.ts'

test('the pictures of the dashboard are of the dashboard as it is', () => {
  const message =
    'src/admin/dashboard has changed since docs/images/dashboard-*.png were taken: run `npm run screenshots`'
  expect(dashboardHash(), message).toBe(readFileSync(HASH_FILE, 'utf8').trim())
})
