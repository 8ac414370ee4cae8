import { handledListening } from './handled-listening.js'
import { shared } from './shared.js'

handledListening(shared('shm'))
