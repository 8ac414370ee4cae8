/**
 * A child process that sends everything back over its stdin and stdout: with the engine, and with `child_process`,
 * whose pipes are on the main thread.
 */
import { spawn } from 'node:child_process'
import { echoCommand } from '../harness/echo-command.js'
import type { SideConfig } from '../harness/messages.js'
import { EnginePeer, measuredEngine, MOST_FRAME_BYTES } from './engine-stack.js'
import { StreamPeer } from './net-stack.js'
import type { PeerStack } from './peer.js'

const { command, args } = echoCommand

const dialsOnly = {
  listen: () => Promise.reject(new Error('a child process is only dialled')),
  echo: () => Promise.reject(new Error('a child process is only dialled')),
  answer: () => Promise.reject(new Error('a child process is only dialled')),
}

export async function engineChildStack(config: SideConfig): Promise<PeerStack> {
  const { engine: url, shards, wake, inlineWrites } = config
  const engine = await measuredEngine({ engine: url, shards, wake, inlineWrites })
  const transport = engine.transport({ kind: 'stdio', command, args }, { maxFrameBytes: MOST_FRAME_BYTES })
  return {
    ...dialsOnly,
    async connect(onFrame) {
      const connection = await transport.connect()
      connection.subscribe(onFrame, { borrow: true })
      return new EnginePeer(connection)
    },
    async close() {
      const { leaked } = await engine.close()
      return leaked === 0
    },
  }
}

export function childProcessStack(config: SideConfig): PeerStack {
  const open: (() => Promise<void>)[] = []
  return {
    ...dialsOnly,
    connect: (onFrame) =>
      new Promise((resolve, reject) => {
        const child = spawn(command, [...args], { stdio: ['pipe', 'pipe', 'inherit'] })
        child.once('error', reject)
        child.once('spawn', () => {
          open.push(
            () =>
              new Promise((done) => {
                child.once('exit', () => {
                  done()
                })
                child.stdin.end()
              }),
          )
          resolve(new StreamPeer(child.stdin, child.stdout, config.corkFrames, onFrame))
        })
      }),
    async close() {
      for (const end of open) await end()
      return true
    },
  }
}
