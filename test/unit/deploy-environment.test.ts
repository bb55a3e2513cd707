import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { deployedEnvironment } from '../support/deployed.ts'

const deploy = join(import.meta.dirname, '../../deploy')
const textOf = (file: string) => readFileSync(join(deploy, file), 'utf8')

/** Kubernetes runs the image. */
test('systemd, pm2 and the image set the same for a daemon', () => {
  const environment = deployedEnvironment()
  expect(environment).toEqual({
    NODE_ENV: 'production',
    MALLOC_ARENA_MAX: '2',
    MALLOC_TRIM_THRESHOLD_: '131072',
  })
  const { apps } = createRequire(import.meta.url)('../../deploy/pm2/ecosystem.config.cjs')
  expect(apps[0].env).toEqual(environment)
  const ofImage = textOf('docker/Dockerfile').match(/^ENV (.*)$/m)?.[1]
  expect(ofImage?.split(' ')).toEqual(Object.entries(environment).map((pair) => pair.join('=')))
})

test('the image has the C library that these are for', () => {
  expect(textOf('docker/Dockerfile')).toMatch(/^FROM node:\S+-bookworm-slim$/m)
})
