import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { limitRanges } from '../../src/config/limits.ts'
import { variables } from '../../src/config/variables.ts'
import { type Checkers, checkers } from '../support/checkers.ts'

/**
 * deploy/docker and deploy/kubernetes, by those who know: hadolint, docker compose, the schemas of Kubernetes. No image is
 * built and nothing is started: there is neither an engine nor a cluster here.
 */

const deploy = join(import.meta.dirname, '../../deploy')
const draining = limitRanges.shutdownTimeout.default / 1000 + 15

let tools: Checkers
let scratch: string
beforeAll(async () => {
  tools = await checkers()
  scratch = await mkdtemp(join(tmpdir(), 'sluice-deploy-'))
}, 600_000)
afterAll(() => rm(scratch, { recursive: true }))

/** The documents of a YAML file. */
// biome-ignore lint/suspicious/noExplicitAny: read by name, and compared
async function yaml(file: string): Promise<any> {
  const script = 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))'
  return JSON.parse(await tools.run('python3', ['-c', script, file]))
}

/** The text of a file of deploy/, changed, elsewhere. */
async function changed(file: string, from: string, to: string): Promise<string> {
  const text = await readFile(join(deploy, file), 'utf8')
  expect(text).toContain(from)
  const copy = join(scratch, file.replaceAll('/', '-'))
  await writeFile(copy, text.replace(from, to))
  return copy
}

describe('the Dockerfile', () => {
  test('has nothing that hadolint complains of', async () => {
    expect(await tools.run('hadolint', [join(deploy, 'docker/Dockerfile')])).toBe('')
  })

  test('hadolint would complain', async () => {
    const bad = await changed('docker/Dockerfile', 'node:24.21.0-bookworm-slim\n', 'node\n')
    await expect(tools.run('hadolint', [bad])).rejects.toThrow('DL3006')
  })

  test('is not root’s, and ends with PID 1 as a signal’s receiver', async () => {
    const text = await readFile(join(deploy, 'docker/Dockerfile'), 'utf8')
    const last = text.slice(text.lastIndexOf('\nFROM'))
    expect(last).toMatch(/^USER 1000:1000$/m)
    expect(last).toMatch(/^ENTRYPOINT \["tini", "--", "node", /m)
  })
})

describe('compose.yml', () => {
  const config = async (file: string) =>
    JSON.parse(
      await tools.run('docker-compose', [
        '--project-directory',
        scratch,
        '-f',
        file,
        'config',
        '--format=json',
      ]),
    )

  test('is what docker compose understands; sluice starts when both servers are healthy', async () => {
    const { services, secrets } = await config(join(deploy, 'docker/compose.yml'))
    expect(services.sluice.depends_on).toMatchObject({
      postgres: { condition: 'service_healthy' },
      elasticsearch: { condition: 'service_healthy' },
    })
    expect(services.postgres.healthcheck.test).toContain('pg_isready')
    expect(services.elasticsearch.healthcheck.test).toContain('curl')
    expect(services.sluice).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      stop_grace_period: `${draining}s`,
      environment: { CREDENTIALS_DIRECTORY: '/run/secrets' },
    })
    expect(Object.keys(secrets).toSorted()).toEqual(['DATABASE_URL', 'postgres_password'])
  })

  test('docker compose would complain', async () => {
    const bad = await changed('docker/compose.yml', 'stop_grace_period', 'stop_grace')
    await expect(config(bad)).rejects.toThrow('stop_grace')
  })

  test('names variables that there are', async () => {
    const { services } = await config(join(deploy, 'docker/compose.yml'))
    const known = [...Object.values(variables).map(({ name }) => name), 'CREDENTIALS_DIRECTORY']
    expect(known).toEqual(expect.arrayContaining(Object.keys(services.sluice.environment)))
  })
})

describe('the manifests', () => {
  test('are valid, strictly, for the oldest and the newest Kubernetes that the guide names', async () => {
    const files = (await readdir(join(deploy, 'kubernetes'))).filter((file) => file !== 'kustomization.yaml')
    expect(files.toSorted()).toEqual([
      'deployment.yaml',
      'install-job.yaml',
      'poddisruptionbudget.yaml',
      'serviceaccount.yaml',
    ])
    const guide = await readFile(join(deploy, '../docs/deploy/kubernetes.md'), 'utf8')
    const versions = /Kubernetes (1\.\d+) to (1\.\d+)/.exec(guide)?.slice(1) ?? []
    expect(versions).toHaveLength(2)
    const paths = files.map((file) => join(deploy, 'kubernetes', file))
    for (const version of versions)
      await tools.run('kubernetes-validate', ['--strict', '--kubernetes-version', version, ...paths])
  })

  test('kubernetes-validate would complain', async () => {
    const bad = await changed('kubernetes/deployment.yaml', 'readOnlyRootFilesystem', 'readOnlyRoot')
    await expect(tools.run('kubernetes-validate', ['--strict', bad])).rejects.toThrow('readOnlyRoot')
  })

  test('are all but the job applied together', async () => {
    const { resources } = await yaml(join(deploy, 'kubernetes/kustomization.yaml'))
    expect(resources).toEqual(['serviceaccount.yaml', 'deployment.yaml', 'poddisruptionbudget.yaml'])
    // What `kubectl apply -k` would send; it refuses a key of kustomization.yaml that there is not.
    const sent = await tools.run('kubectl', ['kustomize', join(deploy, 'kubernetes')])
    expect([...sent.matchAll(/^kind: (\w+)$/gm)].map(([, kind]) => kind).toSorted()).toEqual([
      'Deployment',
      'PodDisruptionBudget',
      'ServiceAccount',
    ])
    const text = await readFile(join(deploy, 'kubernetes/deployment.yaml'), 'utf8')
    expect(sent).toContain(/image: \S+/.exec(text)?.[0])
  })

  test('kubectl would complain of the kustomization', async () => {
    const copy = join(scratch, 'kustomization')
    await cp(join(deploy, 'kubernetes'), copy, { recursive: true })
    const file = join(copy, 'kustomization.yaml')
    const text = await readFile(file, 'utf8')
    await writeFile(file, text.replace('resources:', 'resorces:'))
    await expect(tools.run('kubectl', ['kustomize', copy])).rejects.toThrow('resorces')
    await writeFile(file, text.replace('deployment.yaml', 'deploiment.yaml'))
    await expect(tools.run('kubectl', ['kustomize', copy])).rejects.toThrow('deploiment.yaml')
  })

  test.each(['deployment.yaml', 'install-job.yaml'])(
    '%s has no privilege and writes nowhere',
    async (file) => {
      const pod = (await yaml(join(deploy, 'kubernetes', file))).spec.template.spec
      expect(pod).toMatchObject({
        serviceAccountName: 'sluice',
        automountServiceAccountToken: false,
        securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
      })
      expect(pod.containers).toHaveLength(1)
      const [container] = pod.containers
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        privileged: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      })
      expect(Object.keys(container.resources.limits)).toEqual(['memory'])
      // Every mount is the secret's, where CREDENTIALS_DIRECTORY is.
      expect(container.volumeMounts).toEqual([
        { name: 'credentials', mountPath: '/run/secrets/sluice', readOnly: true },
      ])
      expect(container.env).toContainEqual({ name: 'CREDENTIALS_DIRECTORY', value: '/run/secrets/sluice' })
      expect(pod.volumes.map((volume: { secret?: object }) => volume.secret)).toEqual([
        expect.objectContaining({ defaultMode: 0o440 }),
      ])
    },
  )

  test('give the daemon the time that it takes to drain, and probe it', async () => {
    const deployment = await yaml(join(deploy, 'kubernetes/deployment.yaml'))
    const pod = deployment.spec.template.spec
    expect(pod.terminationGracePeriodSeconds).toBe(draining)
    const [container] = pod.containers
    expect(container.readinessProbe.exec.command.slice(-1)).toEqual(['/ready'])
    expect(container.livenessProbe.exec.command.slice(-2)).toEqual(['/health', '--alive'])
    const labels = { 'app.kubernetes.io/name': 'sluice' }
    expect(deployment.spec.template.metadata.labels).toEqual(labels)
    expect(deployment.spec.selector.matchLabels).toEqual(labels)
    const budget = await yaml(join(deploy, 'kubernetes/poddisruptionbudget.yaml'))
    expect(budget.spec).toEqual({
      maxUnavailable: 1,
      unhealthyPodEvictionPolicy: 'AlwaysAllow',
      selector: { matchLabels: labels },
    })
    // So that the one that is left works meanwhile.
    expect(deployment.spec.replicas).toBeGreaterThan(1)
  })
})
