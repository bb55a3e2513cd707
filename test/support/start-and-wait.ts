/**
 * Starts the named server, says where it is (one line of JSON), and then ends as it is told to, for the tests that
 * prove that no server survives its parent: `wait` (for a signal), `freeze` (the server stopped, then `wait`), `throw`,
 * `exit`, or `forget` (just the end of the program, without stop()).
 */
import { startElasticsearch, startPostgres } from './servers/index.ts'

const [, , kind, end] = process.argv

const server = await (kind === 'elasticsearch' ? startElasticsearch({ brief: true }) : startPostgres())
if (end === 'freeze') await server.kill('SIGSTOP')
process.stdout.write(`${JSON.stringify({ pid: server.pid, directory: server.directory })}\n`)
if (end === 'wait' || end === 'freeze') setInterval(() => {}, 60_000)
if (end === 'throw') throw new Error('as asked')
if (end === 'exit') process.exit(3)
