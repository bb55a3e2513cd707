import type { DocumentPlan } from '../documents/types.ts'
import type { Elasticsearch } from '../elasticsearch/client.ts'
import { ConfigError } from '../errors.ts'

/** Without its pipeline every document would be refused. */
export async function checkPipeline(
  elasticsearch: Pick<Elasticsearch, 'hasPipeline'>,
  { document, pipeline }: DocumentPlan,
): Promise<void> {
  if (pipeline === null || (await elasticsearch.hasPipeline(pipeline))) return
  throw new ConfigError(
    `got ${JSON.stringify(pipeline)}, and Elasticsearch has no ingest pipeline of this name`,
    {
      where: `documents.${document}.pipeline`,
      remedy: `Create it (PUT _ingest/pipeline/${pipeline}), or leave "pipeline" out.`,
    },
  )
}
