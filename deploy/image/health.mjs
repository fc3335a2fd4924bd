// The images' health check: exits 0 when the app says that it is ready. Node itself, because an image needs neither a shell nor curl.
import { get } from 'node:http'

const path = process.env.HEALTH_PATH ?? '/health/ready'
const request = get({ host: '127.0.0.1', port: process.env.PORT, path, timeout: 3_000, agent: false }, (answer) => {
  answer.resume()
  process.exit(answer.statusCode === 200 ? 0 : 1)
})
request.on('timeout', () => process.exit(1))
request.on('error', () => process.exit(1))
