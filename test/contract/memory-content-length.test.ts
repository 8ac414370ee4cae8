import { framedContract } from './framed.js'

framedContract('memory', 'content-length')
