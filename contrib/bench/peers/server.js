// server.js - what a team would write instead: Fastify with JWT check, rate limit, schema validation and pg.
//
//     POST /tasks       inserts one row and answers after its commit
//     GET  /tasks/ID    reads a row
//     GET  /me          needs no database
//
// Prints one line of JSON when it listens: its port and a token. The pool's statements are prepared.
import Fastify from 'fastify'
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import { randomBytes } from 'node:crypto'
import { makePool, requireDurable } from './common.js'

const LIMIT = 1000000000

const pool = makePool(16)
await requireDurable(pool)

const app = Fastify({ logger: false, keepAliveTimeout: 75000 })
await app.register(jwt, { secret: randomBytes(32).toString('hex') })
await app.register(rateLimit, { hook: 'preHandler', max: LIMIT, timeWindow: 60000, keyGenerator: (request) => request.user.sub })
app.addHook('onRequest', async (request) => { await request.jwtVerify() })

const task = {
	type: 'object',
	additionalProperties: false,
	required: ['role', 'description'],
	properties: {
		role: { type: 'string', minLength: 1, maxLength: 64 },
		description: { type: 'string', minLength: 1, maxLength: 10000 },
		input_data: { type: 'object' },
	},
}
const row = {
	type: 'object',
	properties: {
		id: { type: 'string' },
		status: { type: 'string' },
		role: { type: 'string' },
		description: { type: 'string' },
		input_data: { type: 'object', additionalProperties: true },
		created_at: { type: 'string' },
	},
}

app.post('/tasks', { schema: { body: task, response: { 201: row } } }, async (request, reply) => {
	const { role, description, input_data: input } = request.body
	const { rows } = await pool.query({
		name: 'insert',
		text: 'INSERT INTO created (role, description, input_data) VALUES ($1, $2, $3) RETURNING id, status, created_at',
		values: [role, description, input === undefined ? null : JSON.stringify(input)],
	})
	reply.code(201)
	return { ...request.body, ...rows[0], created_at: rows[0].created_at.toISOString() }
})

app.get('/tasks/:id', { schema: { response: { 200: row } } }, async (request, reply) => {
	const { rows } = await pool.query({
		name: 'select',
		text: 'SELECT id, status, role, description, input_data, created_at FROM created WHERE id = $1',
		values: [request.params.id],
	})
	if (!rows.length) return reply.code(404).send({ error: 'no such task' })
	return { ...rows[0], created_at: rows[0].created_at.toISOString() }
})

app.get('/me', async (request) => ({ sub: request.user.sub, role: request.user.role }))

await app.listen({ host: '127.0.0.1', port: 0 })
console.log(JSON.stringify({ port: app.server.address().port, token: app.jwt.sign({ sub: 'bench', role: 'admin' }) }))
