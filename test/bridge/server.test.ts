/** The server of a test does not outlive it. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import net from 'node:net'
import { join } from 'node:path'
import process from 'node:process'
import { natsTest } from '../helpers/nats-server.js'
import { root } from '../package/project.js'

natsTest(
  'nats-server ends with the process that has started it, also one that is killed',
  { watchdogMs: 60_000 },
  async (t) => {
    const harness = JSON.stringify(join(root, 'dist', 'perf', 'harness', 'nats-server.js'))
    const source = `const { startNats } = await import(${harness}); console.log((await startNats()).url); setInterval(() => 0, 1e6)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const [line] = (await once(child.stdout.setEncoding('utf8'), 'data')) as [string]
    const port = Number(new URL(line.trim()).port)
    const socket = net.connect(port, '127.0.0.1').resume()
    await once(socket, 'connect')
    child.kill('SIGKILL')
    // It says nothing at its end.
    socket.on('error', () => undefined)
    await new Promise((resolve) => socket.once('close', resolve))
    t.pass()
  },
)
