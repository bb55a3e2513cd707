import { statusJson } from '../../answers/json/status.ts'
import { readIndices, readStatus, readWorkers } from '../../answers/read-status.ts'
import { get } from '../endpoint.ts'
import { documentsJson, indicesJson, workersJson } from '../json.ts'

export const statusEndpoints = [
  get({
    path: '/api/status',
    summary: 'Everything at once, as sluice status --json has it',
    answer: statusJson,
    handle: (admin) => readStatus(admin, admin.configured),
  }),
  get({
    path: '/api/documents',
    summary: 'Documents: what waits, how late it is, what failed',
    answer: documentsJson,
    handle: async (admin) => {
      const { documents, notInstalled } = await readStatus(admin, admin.configured)
      return { documents, notInstalled }
    },
  }),
  get({
    path: '/api/indices',
    summary: 'Physical indices that are written to, and those to be dropped',
    answer: indicesJson,
    handle: async (admin) => ({ indices: [...(await readIndices(admin))] }),
  }),
  get({
    path: '/api/workers',
    summary: 'Daemons, and what they wait for',
    answer: workersJson,
    handle: async (admin) => ({ workers: [...(await readWorkers(admin))] }),
  }),
]
