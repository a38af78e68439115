// A small painting that our painter made of the cup among the examples; the first view paints it.
//
// A stroke is 11 bytes: three points from -0.25 to 1.25, the roots of two radii up to 0.16, in units of the
// longer side, and its colour.
const STROKES =
  "A1xBWn9L9PKrSR1oMKc55Dzl9MVqNFaMmJTRc/TZfRcIlbW/fv9y9PGoVSaDb8Ff/2Tz4alTKCSLP5ZOt6ur0JRnZTqGOJ5Pq4PiuZKD" +
  "op2Vrnd/q78zEVqFe4mTdKmZKwQBN3JCjlanq3/JjV8YSDA3SyamqyQWC81QzC+4HaKF0I1cYEWAQZZVpHnJh0xbVGphhmFliO+VM1WJ" +
  "Z3KLb5qqmCcQtlXUXu5pmHS/cj8CkCmGO22lp8N7S9cv6xD+AKqD2ql+hY+Sfpxqfnd5RSsAkhp6OV6KhsV8SzaaQK1MwYGH1J9zYGBv" +
  "a3xscnlBCgZEbU2AX415eZMaBW5NgUqMUXl5qUcYW4BccGhleHl6EgZvVoFRjVh5eeeKLmCDXHZibV1oUQgBZjJyK4UnYXmwUR1kLlc+" +
  "WWB4ea9HHkF0Q4hTlUJZWyAMPkRfLH0TeXm3URmGnqKYr4N5XRoGAINwkHCZdmZaHRIRRn1RjWOVRlbipHYbOS0vMhp5dxgQCX1slWWs" +
  "ZXl5vDIPVk9gX3JneW2NIQpzlXyWiJRJUcRNJp1ypFujUHl1tSwOQJJNnFSreXfns4WukbN7unNteYtDJHp0iW6WakRRViMVkDeWQaBC" +
  "R1/No352kY6OmX95eYoYBEeAUY9jlVJRliURhnySfpp5YkuTclMNcS92QmpuUr53SoaKkoSWd1FtWjssh3WTdZlxUUBqJhg6mkmbVqN2" +
  "dOrBmx5oMl9FUWBYwW88bX6Bfoh8WlstBgJoXHBhdmJIRvTo3GaQdY6DjltWOAYEUnVbaV5lW0iPFwKIfot6k3cyQNzDrV5KXz9mOVVP" +
  "9uXScnh6doN5W1snBAJvaYprl2FbW1YKAF9NYVhrXVJF9efXfWSNZJZaREr03sNGfE5rXmRbTqcrEWSDdoqNiVtbKgUBRnNRV1hLW1uv" +
  "KQtoN3UvhjNFQfrt3ndxfW+IdFtbMQUBSohgnoGcW1saBgKXWZ1Rm0dLTPvs2XhjgWSMYUMy+vDjQ3pHhVmYQ1sWAwBDbEZSVkZbW7Qu" +
  "EoyEkIGae1hCxJJxiHOTcpl2W1s4GhOfnKuTsHpTP1UdDKFKqVGwXzwt5pBdhzSVOJpESU/y59yRhJmAm3hWSTgUB4l7kXORbFpEZDwk" +
  "iHyMdpB0PDK2oIphbF5/ZopBT0YJBBx0KHUtdi48gkYofW+KcZBtQ1tHDQKGfIp4kXFCMYtiP1KWVJpZnj03VxwLkImXh5uBPzMlAwKG" +
  "gIeFjIg/PxkEA2qDbnlzcz8/KQUCYH1gdmZuPD8mBAKHbJNomV8vPaJVLYZzhIKGiD8/HgYBS4xSmWGcPz8eBwKYaZxZoE8/L30bC0Ro" +
  "RG1Hdiok8MuxiHCKcI5xKDXqzrVtlXeXe5chKtyTa5dnl2WYYywh6ODQj4aWhZqBOC50PitgZGRqZmwgKrxzR45vj3KReT8zj2NDZW1f" +
  "c2B+Pz8xBAGJe4x6j3crOuXVv4VziHSNcS8/ZTMgpEyqU61aExPPTxqhSqhRrFoeHvjNonNNekqATCMj2pdcgEyITotVIyPywII=";
const SIZE = 11,
  STEPS = 24,
  SIDES = [3, 2],
  FIRST = 500,
  LASTS = 5200; // ms

// One stroke: discs along a quadratic curve, filled as one.
function stroke(pen, data, at, side) {
  const [x0, y0, x1, y1, x2, y2] = Array.from(
    data.subarray(at, at + 6),
    (n) => ((n / 255) * 1.5 - 0.25) * side,
  );
  const [r0, r2] = [data[at + 6], data[at + 7]].map((n) => (n / 255) ** 2 * 0.16 * side);
  pen.fillStyle = `rgb(${data.subarray(at + 8, at + 11).join(" ")})`;
  pen.beginPath();
  const count = Math.max(
    STEPS,
    Math.ceil((3 * Math.hypot(x2 - x0, y2 - y0)) / Math.max(1, Math.min(r0, r2))),
  );
  for (let n = 0; n <= count; n++) {
    const t = n / count,
      u = 1 - t,
      x = u * u * x0 + 2 * t * u * x1 + t * t * x2,
      y = u * u * y0 + 2 * t * u * y1 + t * t * y2;
    const r = u * r0 + t * r2;
    pen.moveTo(x + r, y);
    pen.arc(x, y, r, 0, 7);
  }
  pen.fill();
}

// Paints it on a canvas, stroke by stroke while one looks; at once for those who want no motion.
export function paintSample(canvas) {
  const data = Uint8Array.from(atob(STROKES), (letter) => letter.charCodeAt(0)),
    pen = canvas.getContext("2d"),
    side = canvas.width;
  const count = data.length / SIZE,
    still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  canvas.height = (side * SIDES[1]) / SIDES[0];
  let done = 0,
    began = null;
  const frame = (now) => {
    began ??= now + FIRST;
    const part = still ? 1 : Math.max(0, Math.min(1, (now - began) / LASTS)),
      wanted = Math.round(count * (1 - (1 - part) ** 1.6));
    while (done < wanted) stroke(pen, data, SIZE * done++, side);
    if (done < count) requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
}
