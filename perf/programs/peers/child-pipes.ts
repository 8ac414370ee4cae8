/** A child's stdin and stdout, with length framing by hand. */
import type { ChildProcess } from 'node:child_process'
import process from 'node:process'
import type { ComparedPeer } from './compared-stack.js'
import { endOf, spawnFar } from './far-child.js'
import { answerFrames, StreamClient, takeFrames } from './stream-client.js'

const childPipes: ComparedPeer = (settings) => {
  let child: ChildProcess | undefined
  return {
    payload: 'bytes',
    answer: () => {
      answerFrames(process.stdin, process.stdout)
      return Promise.resolve()
    },
    take: (onMessage) => {
      takeFrames(process.stdin, onMessage)
      return Promise.resolve()
    },
    async connect() {
      child = await spawnFar(settings, ['pipe', 'pipe', 'inherit'])
      const { stdin, stdout } = child
      if (stdin === null || stdout === null) throw new Error('the child has no pipes')
      return new StreamClient(stdin, stdout)
    },
    close: () => {
      if (child === undefined) process.stdin.destroy()
      child?.stdin?.end()
      return endOf(child)
    },
  }
}

export default childPipes
