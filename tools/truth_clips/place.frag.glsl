// SPDX-License-Identifier: GPL-3.0-or-later
// Floors, walls and boxes, painted by world position so that a camera can track them.
in vec3 world;
in vec3 bent;
flat in int stuff;
out vec4 colour;
uniform vec3 tint;

float joint_line(vec2 cell, float width) {  // 1 in the joints between unit cells
    vec2 d = min(fract(cell), 1.0 - fract(cell));
    vec2 blur = clamp(fwidth(cell) * 1.2, 0.3 * width, 0.5);
    vec2 lines = 1.0 - smoothstep(width - 0.5 * blur, width + blur, d);
    return max(lines.x, lines.y) * clamp(2.0 - 4.0 * max(blur.x, blur.y), 0.0, 1.0);
}

vec3 brick(vec2 uv, vec3 base, vec2 size) {
    vec2 cell = uv / size;
    cell.x += 0.5 * mod(floor(cell.y), 2.0);
    float tone = hash(vec3(floor(cell), seed));
    return mix(base * (0.6 + 0.7 * tone), vec3(0.55), joint_line(cell, 0.05));
}

vec3 posters(vec2 uv, vec3 wall) {
    vec2 cell = uv / vec2(1.3, 1.1), id = floor(cell), f = fract(cell);
    float kind = hash(vec3(id, seed + 3.0));
    if (kind < 0.45 || f.x < 0.2 || f.x > 0.75 || f.y < 0.15 || f.y > 0.85) return wall;
    vec3 a = vec3(hash(vec3(id, 1.0)), hash(vec3(id, 2.0)), hash(vec3(id, 5.0)));
    float blocks = hash(vec3(floor(f * vec2(9.0, 12.0)), kind * 9.0));
    return blocks > 0.55 ? a * 0.8 : mix(vec3(0.8), a, blocks);
}

vec3 facade(vec2 uv, vec3 base) {
    vec2 cell = uv / vec2(1.6, 1.9), f = fract(cell);
    float window = step(0.25, f.x) * step(f.x, 0.75) * step(0.25, f.y) * step(f.y, 0.8);
    float bar = step(abs(f.x - 0.5), 0.02) + step(abs(f.y - 0.55), 0.015);
    vec3 glass = vec3(0.12, 0.16, 0.22) * (0.5 + hash(vec3(floor(cell), seed)));
    return mix(brick(uv, base, vec2(0.5, 0.17)), mix(glass, vec3(0.7), min(bar, 1.0)), window);
}

void main() {
    vec3 n = normalize(bent), p = world;
    // Texture coordinates along the face: horizontal, then up (or the two ground axes).
    vec2 uv = abs(n.z) > 0.5 ? p.xy : (abs(n.x) > 0.5 ? p.yz : p.xz);
    float grain = flat_clouds(uv * 6.0), fine = flat_noise(uv * 70.0);
    vec3 c;
    if (stuff == 0) {                                   // planks
        vec2 cell = uv / vec2(1.4, 0.16);
        cell.x += 0.37 * floor(cell.y);
        float tone = hash(vec3(floor(cell), seed));
        c = vec3(0.46, 0.30, 0.17) * (0.6 + 0.5 * tone + 0.5 * flat_noise(vec2(uv.x * 5.0, uv.y * 60.0 + 9.0 * tone)));
        c *= 1.0 - 0.6 * joint_line(cell, 0.03);
    } else if (stuff == 1) {                            // painted wall with posters and a skirting board
        c = posters(uv, tint * (0.85 + 0.3 * grain));
        if (p.z < 0.12) c = vec3(0.75) * (0.85 + 0.3 * fine);
    } else if (stuff == 2) {
        c = brick(uv, vec3(0.50, 0.22, 0.15), vec2(0.26, 0.085)) * (0.8 + 0.4 * grain);
    } else if (stuff == 3) {                            // wooden crate
        vec2 cell = uv / 0.14;
        c = vec3(0.55, 0.38, 0.2) * (0.55 + 0.7 * hash(vec3(floor(cell.yy), seed)) * flat_noise(vec2(uv.x * 4.0, uv.y * 50.0)));
        c *= 1.0 - 0.7 * joint_line(cell.yy, 0.06);
    } else if (stuff == 4) {                            // paving
        vec2 cell = uv / 0.5;
        c = vec3(0.42, 0.41, 0.39) * (0.7 + 0.45 * hash(vec3(floor(cell), seed)) + 0.3 * (grain - 0.5));
        c *= 1.0 - 0.55 * joint_line(cell, 0.03);
    } else if (stuff == 5) {                            // grass
        c = mix(vec3(0.10, 0.20, 0.05), vec3(0.28, 0.32, 0.10), flat_clouds(uv * 1.7)) * (0.6 + 0.8 * fine);
    } else if (stuff == 6) {
        c = facade(uv + tint.xy * 3.0, mix(vec3(0.55, 0.33, 0.24), tint, 0.5)) * (0.85 + 0.3 * grain);
    } else if (stuff == 7) {                            // leaves
        c = mix(vec3(0.07, 0.15, 0.03), vec3(0.30, 0.40, 0.10), flat_noise(uv * 11.0)) * (0.5 + 0.9 * fine);
    } else {                                            // bark, furniture
        c = tint * (0.5 + 0.8 * flat_noise(vec2(uv.x * 30.0, uv.y * 4.0)));
    }
    colour = vec4(shade(c * (0.9 + 0.2 * fine), p, n, 0.0, 0.0), 1.0);
}
