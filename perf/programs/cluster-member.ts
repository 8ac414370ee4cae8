/** One process of a cluster. */
import '../harness/runner-end.js'
import process from 'node:process'
import type { SideConfig } from '../harness/messages.js'
import type { Answering } from '../harness/work.js'
import { netStack } from './net-stack.js'

const [, , config = '{}', answering = 'echo'] = process.argv
await netStack(JSON.parse(config) as SideConfig).answer(answering as Answering)
