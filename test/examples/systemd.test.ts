/** examples/systemd does what its page says: started with a socket, as systemd does it, and started again. */
import { join } from 'node:path'
import process from 'node:process'
import test from 'ava'
import { ChildProgram } from '../helpers/child-program.js'
import { boundSocket } from '../helpers/inherited.js'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { root, runToEnd } from '../package/project.js'

const WATCHDOG_MS = 60_000
const onPosix = process.platform === 'win32' ? test.skip : test
const example = join(root, 'examples', 'systemd')

onPosix('systemd: the socket outlives the service, and who asks meanwhile is answered', async (t) => {
  t.timeout(WATCHDOG_MS)
  const folder = await makeTemporaryFolder()
  const path = folder.socketPath()
  const socket = boundSocket(path)
  const services: ChildProgram[] = []
  const start = async (): Promise<ChildProgram> => {
    const env = { LISTEN_FDNAMES: 'echo' }
    const service = ChildProgram.startFile(join(example, 'server.js'), [], { activated: [socket], env })
    services.push(service)
    await service.line('listening on fd:3')
    return service
  }
  const stop = async (service: ChildProgram): Promise<void> => {
    service.kill('SIGTERM')
    const { code, stderr } = await service.exit
    t.deepEqual([code, stderr], [0, ''])
  }
  const ask = (text: string): Promise<unknown> =>
    runToEnd(process.execPath, [join(example, 'client.js'), `unix:${path}`, text], root, WATCHDOG_MS)
  try {
    const first = await start()
    t.deepEqual(await ask('one'), { end: 0, stdout: 'one\n', stderr: '' })
    await stop(first)
    const asking = ask('two')
    const second = await start()
    t.deepEqual(await asking, { end: 0, stdout: 'two\n', stderr: '' })
    await stop(second)
  } finally {
    for (const service of services) service.kill('SIGKILL')
    await folder.remove()
  }
})
