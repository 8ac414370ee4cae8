/** Plain `net`: each frame is a write of its own, or a thousand frames are corked. */
import net from 'node:net'
import type { ComparedPeer } from './compared-stack.js'
import { answerFrames, StreamClient, takeFrames } from './stream-client.js'

const CORKED_FRAMES = 1000

const plainNet: ComparedPeer = ({ path, variant }) => {
  const open = new Set<net.Socket>()
  const keep = (socket: net.Socket): void => {
    open.add(socket)
    socket.on('error', () => undefined)
  }
  const server = net.createServer()
  const listen = (onSocket: (socket: net.Socket) => void): Promise<void> =>
    new Promise((resolve) => {
      server.on('connection', (socket) => {
        keep(socket)
        onSocket(socket)
      })
      server.listen(path, resolve)
    })
  return {
    payload: 'bytes',
    answer: () =>
      listen((socket) => {
        answerFrames(socket, socket)
      }),
    take: (onMessage) =>
      listen((socket) => {
        takeFrames(socket, onMessage)
      }),
    connect: () =>
      new Promise((resolve, reject) => {
        const socket = net.connect(path)
        socket.once('error', reject)
        socket.once('connect', () => {
          keep(socket)
          resolve(new StreamClient(socket, socket, variant === 'corked' ? CORKED_FRAMES : 1))
        })
      }),
    close: () => {
      for (const socket of open) socket.destroy()
      server.close()
      return Promise.resolve(true)
    },
  }
}

export default plainNet
