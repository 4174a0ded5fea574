// common.js - what the peers' programs share: the connection pool, the proof that they commit durably, the loop that
// measures, the line of JSON that it ends with.
//
// PGHOST, PGUSER and PGDATABASE name the cluster, BENCH_SECONDS the length of a run, BENCH_INPUT the payload of a job.
import pg from 'pg'

export const seconds = Number(process.env.BENCH_SECONDS ?? '3')
export const input = JSON.parse(process.env.BENCH_INPUT ?? '{}')

// Long enough for node to compile what is hot.
const WARM_UP_MS = 500

export function makePool(max) {
	const pool = new pg.Pool({ max })
	// What fails is told by the call that failed.
	const ignore = () => {}
	pool.on('error', ignore)
	pool.on('connect', (client) => client.on('error', ignore))
	return pool
}

// A peer that does not wait for the disk is no peer.
export async function requireDurable(pool) {
	for (const name of ['fsync', 'synchronous_commit', 'full_page_writes']) {
		const { rows } = await pool.query(`SELECT current_setting('${name}') AS value`)
		if (rows[0].value !== 'on') throw new Error(`${name} is ${rows[0].value} in the peer's session`)
	}
}

async function loopUntil(end, lanes, step) {
	let requests = 0
	let units = 0
	let ranEmpty = false
	const lane = async () => {
		while (performance.now() < end && !ranEmpty) {
			const done = await step()
			if (done === 0) ranEmpty = true
			requests++
			units += done
		}
	}
	await Promise.all(Array.from({ length: lanes }, lane))
	return { requests, units, ranEmpty }
}

// Runs step in so many lanes, first to warm up, then for the time that counts. step returns how much it did; 0: nothing left.
export async function measure(lanes, step) {
	const warm = await loopUntil(performance.now() + WARM_UP_MS, lanes, step)
	const start = performance.now()
	const run = await loopUntil(start + seconds * 1000, lanes, step)
	report({ ...run, seconds: (performance.now() - start) / 1000, before: warm.units })
}

export function report({ requests, units, seconds: took, ranEmpty, before }) {
	const result = { requests, seconds: took, done: units, errors: 0, ran_empty: ranEmpty, before }
	console.log('BENCH ' + JSON.stringify(result))
}

export async function main(modes, usage) {
	const mode = modes[process.argv[2]]
	if (!mode) {
		console.error(`usage: node ${usage} ${Object.keys(modes).join(' | ')}`)
		process.exit(2)
	}
	await mode()
	process.exit(0)
}
