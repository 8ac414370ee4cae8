/** The example of a pool of children: each job is done, but for the one whose child has died. */
import process from 'node:process'
import test from 'ava'
import { root, runToEnd } from '../package/project.js'

const WATCHDOG_MS = 60_000

test('child pool: each job is done by a child, and one that crashes costs its own job alone', async (t) => {
  t.timeout(WATCHDOG_MS)
  const primes = { '1000': 168, '2000': 303, '3000': 430, '4000': 550 }
  const jobs = ['1000', '2000', 'crash', '3000', '4000']
  const args = ['examples/child-pool/main.js', '2', ...jobs]
  const { end, stdout, stderr } = await runToEnd(process.execPath, args, root, WATCHDOG_MS)
  t.deepEqual([end, stderr], [0, ''])
  const lines = stdout.trimEnd().split('\n')
  const told = Object.entries(primes).map(([job, count]) => `${job}: ${String(count)} primes`)
  t.deepEqual(lines.slice(0, jobs.length).sort(), [...told, 'crash: ERR_EXIT'].sort())
  const [by = '', ended = ''] = lines.slice(jobs.length)
  const counts = by.replace(/^by \d children: /, '').split(', ')
  t.is(
    counts.reduce((sum, count) => sum + Number(count), 0),
    told.length,
  )
  const [, opened, released] = /^(\d) children were started, and (\d) have ended$/.exec(ended) ?? []
  t.is(opened, released)
  t.true(Number(opened) >= 2)
})
