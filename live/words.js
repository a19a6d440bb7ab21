// Numbers as people read them; the same words as on the command line.

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

export function size(count) {
  if (!Number.isFinite(count)) return "";
  let power = 0;
  while (count >= 1024 && power < UNITS.length - 1) {
    count /= 1024;
    power += 1;
  }
  return power ? `${count.toFixed(1)} ${UNITS[power]}` : `${Math.trunc(count)} B`;
}

export function rate(bytesPerSecond) {
  return `${size(bytesPerSecond)}/s`;
}

export function span(seconds) {
  if (!Number.isFinite(seconds)) return "";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

function two(number) {
  return String(number).padStart(2, "0");
}

export function count(number, one, many = `${one}s`) {
  return `${Number(number).toLocaleString("en")} ${number === 1 ? one : many}`;
}

export function share(done, total) {
  return total > 0 ? Math.min(100, Math.floor((100 * done) / total)) : 0;
}

export function place(end) {
  return end.path === null || end.path === undefined ? end.host : `${end.host}:${end.path}`;
}

export function moment(text) {
  const at = new Date(text);
  return Number.isNaN(at.getTime()) ? "" : at.toLocaleString();
}
