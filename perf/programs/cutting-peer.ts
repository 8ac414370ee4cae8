/**
 * Argument: socket path. Echoes each frame; a frame that reads `cut` makes it cut the connection instead. It ends with
 * its runner.
 */
import '../harness/runner-end.js'
import net from 'node:net'
import { LengthParser } from './length-parser.js'

const server = net.createServer((socket) => {
  const parser = new LengthParser((frame) => {
    if (socket.destroyed) return
    if (frame.toString() === 'cut') {
      socket.destroy()
      return
    }
    const header = Buffer.alloc(4)
    header.writeUInt32LE(frame.length)
    socket.write(Buffer.concat([header, frame]))
  })
  socket.on('data', (chunk: Buffer) => {
    parser.push(chunk)
  })
  socket.on('end', () => socket.end())
  socket.on('error', () => undefined)
})
server.listen(process.argv[2], () => process.send?.('listening'))
// Removes its socket file.
process.once('exit', () => server.close())
