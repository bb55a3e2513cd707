// Three daemons under pm2; docs/deploy/pm2.md is the guide. From the folder of your sluice.config.*:
//   pm2 start node_modules/sluice/deploy/pm2/ecosystem.config.cjs
// To change something, copy it beside your configuration and put `require.resolve('sluice/package.json')` in place of
// __dirname's two steps up.
const { join } = require('node:path')

const sluice = join(__dirname, '../..')
/** Milliseconds; set it where pm2 is called. What stands in .env is not seen here. */
const shutdownTimeout = Number(process.env.SHUTDOWN_TIMEOUT || 30_000)

module.exports = {
  apps: [
    {
      name: 'sluice',
      script: join(sluice, 'dist/cli/main.js'),
      args: 'run',
      cwd: process.cwd(),
      // Processes of their own that share the work through the queue. pm2's cluster mode shares a port, and there is none.
      exec_mode: 'fork',
      instances: 3,
      // A start counts when it has joined the database: `pm2 reload --parallel 1` goes from one to the next then. One that
      // still waits for a server after a minute is let go on.
      wait_ready: true,
      listen_timeout: 60_000,
      // SIGINT drains; SIGKILL comes when SHUTDOWN_TIMEOUT and fifteen seconds for what comes after are over.
      kill_timeout: shutdownTimeout + 15_000,
      treekill: false,
      // Started again whatever happened, ever more rarely, at most every fifteen seconds.
      autorestart: true,
      exp_backoff_restart_delay: 500,
      // A daemon's peak is 200 MB (docs/performance.md).
      max_memory_restart: '768M',
      // The last two: 15 to 25 MB less (docs/performance.md, Memory and rest).
      env: { NODE_ENV: 'production', MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' },
      // Its log has the time and the instance's name in each line already.
      merge_logs: true,
      // No probe of pm2's own in our process.
      pmx: false,
    },
  ],
}
