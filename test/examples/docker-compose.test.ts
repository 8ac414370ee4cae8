/** The programs of examples/docker-compose, in two processes that share a folder: no container engine runs here. */
import fs from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { root } from '../package/project.js'

const WATCHDOG_MS = 60_000
const onPosix = process.platform === 'win32' ? test.skip : test
const example = join(root, 'examples', 'docker-compose')

onPosix('docker-compose: the client comes first, and goes on when the server is started again', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const started: ChildProgram[] = []
  const start = (file: string, args: readonly string[] = []): ChildProgram => {
    const program = ChildProgram.startFile(join(example, file), [`unix:${path}`, ...args])
    started.push(program)
    return program
  }
  const stop = async (program: ChildProgram): Promise<void> => {
    program.kill('SIGTERM')
    const { code, stderr } = await program.exit
    t.deepEqual([code, stderr], [0, ''])
  }
  try {
    const client = start('client.js', ['Infinity', '10'])
    const first = start('server.js')
    await first.line(`listening on unix:${path}`)
    // Only its owner may connect: both containers run as one user.
    t.is(fs.statSync(path).mode & 0o777, 0o600)
    await client.line('answer to request 1')
    await stop(first)
    const second = start('server.js')
    while ((await client.next()) !== 'the server went away') continue
    t.regex(await client.next(), /^answer to request \d+$/)
    await stop(client)
    await stop(second)
  } finally {
    for (const program of started) program.kill('SIGKILL')
    await folder.remove()
  }
})
