/** The JSON server does what its page says. */
import { once } from 'node:events'
import net from 'node:net'
import { makeTemporaryFolder } from '../helpers/temporary-folder.js'
import { onPosix, runExample, withServer } from './example.js'

onPosix('JSON server: its client and a plain socket get their answers', async (t) => {
  const folder = await makeTemporaryFolder()
  try {
    const path = folder.socketPath()
    const lines = await withServer(t, 'json-server/server.js', [`unix:${path}`], async () => {
      t.deepEqual(await runExample(t, 'json-server/client.js', `unix:${path}`), [
        '{"note":"shopping","text":"bread\\nand milk"}',
        '{"note":"shopping","text":"bread\\nand milk"}',
        '{"note":"holidays","text":null}',
        '{"error":"say which note: {\\"note\\": \\"name\\"}"}',
      ])
      const socket = net.connect(path).setEncoding('utf8')
      let text = ''
      socket.on('data', (chunk: string) => (text += chunk))
      socket.end('{"note":"shopping"}\r\nno JSON\n')
      await once(socket, 'end')
      t.regex(text, /^\{"note":"shopping","text":"bread\\nand milk"\}\n\{"error":"[^\n]*JSON[^\n]*"\}\n$/)
    })
    t.deepEqual(lines, [])
    t.deepEqual(await folder.list(), [])
  } finally {
    await folder.remove()
  }
})
