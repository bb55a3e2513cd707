import { failureError } from './failures.ts'
import { type Http, pathOf } from './http.ts'

/** Whether there is an ingest pipeline of this name. Elasticsearch answers 404 with an empty object where there is none. */
export async function hasPipeline(http: Http, name: string): Promise<boolean> {
  const answer = await http.send({
    method: 'GET',
    path: pathOf('_ingest', 'pipeline', name),
    query: { filter_path: '*.version,error,status' },
  })
  if (answer.kind === 'answer' && answer.status === 200) return true
  if (answer.kind === 'answer' && answer.status === 404) return false
  throw failureError(answer, `looking for the ingest pipeline ${name}`)
}
