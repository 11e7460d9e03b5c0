// Numbers as people read them: a unit, and a dash for what nobody measured. A duration has two digits or three, for
// a percentile is no more exact than a sixteenth of itself.

const NONE = "–";
const three = value => value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
const whole = value => value == null ? NONE : Math.round(value).toLocaleString("en");
const compact = value => value == null ? NONE : value >= 1e6 ? three(value / 1e6) + "M"
  : value >= 1e4 ? three(value / 1e3) + "k" : value >= 10 || Number.isInteger(value) ? whole(value) : value.toFixed(1);
const short = value => value >= 9.95 ? value.toFixed(0) : value.toFixed(1);
const millis = value => value == null ? NONE : value >= 1000 ? short(value / 1000) + " s"
  : value >= .9995 ? short(value) + " ms" : Math.round(value * 1000) + " µs";
const bytes = value => !value ? NONE : value >= 2 ** 30 ? three(value / 2 ** 30) + " GiB" : three(value / 2 ** 20) + " MiB";
const clock = time => new Date(time * 1000).toLocaleTimeString("en-GB");

function age(seconds) {
  if (seconds == null) return NONE;
  if (seconds < 10) return seconds.toFixed(1) + " s";
  const s = Math.floor(seconds);
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + s % 60 + " s";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor(s % 86400 / 3600) + " h";
}

const plural = (count, word) => whole(count) + " " + word + (count === 1 ? "" : "s");
