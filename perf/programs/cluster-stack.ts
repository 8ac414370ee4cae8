/** Plain `net` in as many processes as `shards` says, by `node:cluster`: main accepts, and hands connections out. */
import cluster, { type Worker } from 'node:cluster'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { SideConfig } from '../harness/messages.js'
import type { Answering } from '../harness/work.js'
import type { PeerStack } from './peer.js'

const member = fileURLToPath(new URL('cluster-member.js', import.meta.url))

const servesOnly = (): Promise<never> => Promise.reject(new Error('a cluster only answers'))

export function clusterStack(config: SideConfig): PeerStack {
  const workers: Worker[] = []
  return {
    connect: servesOnly,
    listen: servesOnly,
    echo: servesOnly,
    async answer(answering: Answering) {
      cluster.setupPrimary({ exec: member, args: [JSON.stringify(config), answering] })
      for (let i = 0; i < (config.shards ?? 1); i++) {
        const worker = cluster.fork()
        workers.push(worker)
        await once(worker, 'listening')
      }
    },
    async close() {
      for (const worker of workers) {
        const gone = once(worker, 'exit')
        worker.process.kill('SIGKILL')
        await gone
      }
      return true
    },
  }
}
