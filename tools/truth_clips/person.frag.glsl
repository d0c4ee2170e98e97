// SPDX-License-Identifier: GPL-3.0-or-later
// Paints a person by rest position: skin, face, hair, shirt, trousers, shoes.
in vec3 world;
in vec3 bent;
in vec3 at;
in float is_eye;
out vec4 colour;

uniform vec3 skin, hair, shirt, shirt2, trousers, shoes, iris, lips;
uniform float sleeve, leg, pattern, beard;
uniform float neck_line, waist, hairline;
uniform vec2 brow[10], eyelid[12], mouth[20];
uniform vec3 eye_centre[2], ear[2], nostril[2];

float to_segment(vec2 p, vec2 a, vec2 b) {
    vec2 d = b - a;
    return length(p - a - d * clamp(dot(p - a, d) / dot(d, d), 0.0, 1.0));
}

bool inside_lips(vec2 p, int first, int count) {
    bool within = false;
    for (int i = 0; i < count; i++) {
        vec2 a = mouth[first + i], b = mouth[first + (i + 1) % count];
        if ((a.y > p.y) != (b.y > p.y) && p.x < (b.x - a.x) * (p.y - a.y) / (b.y - a.y) + a.x) within = !within;
    }
    return within;
}

vec3 eyeball_paint(vec3 p) {
    vec3 out_ = normalize(p - (p.x > 0.0 ? eye_centre[0] : eye_centre[1]));
    float turn = acos(clamp(out_.z, -1.0, 1.0));
    vec3 c = mix(vec3(0.80, 0.77, 0.74), vec3(0.62, 0.45, 0.42), smoothstep(0.7, 1.3, turn));
    c = mix(iris * (0.7 + 0.5 * noise(out_ * 40.0)), c, smoothstep(0.47, 0.51, turn));
    c = mix(vec3(0.01), c, smoothstep(0.20, 0.24, turn));
    return c;
}

vec3 face_paint(vec3 p, vec3 c) {
    if (p.z < eye_centre[0].z - 0.03) return c;
    c = mix(c, skin * vec3(1.06, 0.80, 0.76), 0.35 * smoothstep(0.028, 0.0, length(vec2(abs(p.x) - 0.038, p.y - eye_centre[0].y + 0.035))));
    float line = 1.0;
    for (int side = 0; side < 2; side++)
        for (int i = 0; i < 6; i++) {
            float d = to_segment(p.xy, eyelid[side * 6 + i], eyelid[side * 6 + (i + 1) % 6]);
            line = min(line, d * (i < 3 ? 1.0 : 1.7));
        }
    c = mix(c * 0.18, c, smoothstep(0.0010, 0.0026, line));
    c *= mix(0.82, 1.0, smoothstep(0.006, 0.016, line));
    float hairs = 1.0;
    for (int i = 0; i < 9; i++)
        if (i != 4) hairs = min(hairs, to_segment(p.xy, brow[i], brow[i + 1]));
    float strands = 0.75 + 0.25 * noise(vec3(p.xy * 900.0, seed));
    c = mix(c, hair * 0.7, strands * (1.0 - smoothstep(0.0022, 0.0052, hairs)));
    for (int i = 0; i < 2; i++) c = mix(c * 0.15, c, smoothstep(0.0025, 0.0055, length(p - nostril[i])));
    if (inside_lips(p.xy, 0, 12)) c = lips;
    if (inside_lips(p.xy, 12, 8)) c = vec3(0.10, 0.025, 0.02);
    float stubble = smoothstep(0.225, 0.19, p.y) * beard * (0.6 + 0.4 * noise(p * 700.0));
    return inside_lips(p.xy, 0, 12) ? c : mix(c, hair * 0.8, stubble * smoothstep(0.03, 0.07, length(p - vec3(0.0, 0.24, 0.13))));
}

float hair_amount(vec3 p) {
    float height = mix(hairline, 0.185, smoothstep(0.085, -0.01, p.z));
    height -= 0.012 * (noise(vec3(p.x * 60.0, p.y * 20.0, seed)) - 0.5);
    float ears = min(length((p - ear[0]) * vec3(1, 0.8, 1)), length((p - ear[1]) * vec3(1, 0.8, 1)));
    return smoothstep(-0.004, 0.004, p.y - height) * smoothstep(0.026, 0.034, ears);
}

vec3 shirt_paint(vec3 p) {
    vec3 c = shirt;
    if (pattern > 2.5) {            // check
        vec2 g = smoothstep(0.35, 0.45, abs(fract(p.xy * 14.0) - 0.5) * 2.0);
        c = mix(shirt, shirt2, 0.5 * g.x + 0.5 * g.y);
    } else if (pattern > 1.5) {     // stripes
        c = mix(shirt, shirt2, smoothstep(0.45, 0.55, abs(fract(p.y * 13.0) - 0.5) * 2.0));
    } else if (pattern > 0.5) {     // open jacket over a light shirt
        float front = step(0.0, p.z) * (1.0 - smoothstep(0.035, 0.045, abs(p.x) - 0.04 * smoothstep(-0.2, 0.1, p.y)));
        c = mix(shirt, shirt2, front);
    } else {                        // print on the chest
        float print_ = step(0.0, p.z) * step(abs(p.x), 0.09) * step(abs(p.y + 0.06), 0.06);
        c = mix(shirt, shirt2, print_ * step(0.5, noise(vec3(p.xy * 45.0, seed))));
    }
    return c;
}

void main() {
    vec3 p = at;
    vec3 n = normalize(bent);
    float arm = abs(p.x), wrap = 0.25, gloss = 0.02;
    vec3 c = skin * (0.94 + 0.12 * clouds(p * 30.0));
    float fold = clouds(vec3(p.x * 9.0, p.y * 14.0, p.z * 9.0) + seed);
    bool head = p.y > neck_line - 0.02 && arm < 0.16;
    if (is_eye > 0.5) {
        c = eyeball_paint(p);
        gloss = 0.5;
    } else if (p.y > neck_line + 0.015 && arm < 0.12) {
        c = face_paint(p, c);
        float h = hair_amount(p);
        c = mix(c, hair * (0.65 + 0.7 * noise(vec3(p.x * 260.0, p.y * 40.0, p.z * 90.0))), h);
        gloss = mix(0.05, 0.03, h);
    } else if (p.y < -1.245) {
        float rubber = smoothstep(-1.318, -1.322, p.y);
        c = mix(shoes, vec3(0.75), rubber) * (0.9 + 0.2 * fold);
        float laces = step(0.0, p.z - 0.02) * step(p.z, 0.10) * step(0.5, fract(p.z * 60.0)) * step(abs(arm - 0.119), 0.018) * step(-1.29, p.y);
        c = mix(c, vec3(0.85), 0.8 * laces);
        gloss = 0.06;
    } else if (arm < 0.24 && p.y < waist) {
        if (p.y > leg) {
            c = trousers * (0.75 + 0.5 * fold) * (0.9 + 0.2 * noise(p * 500.0));
            c *= 1.0 - 0.35 * smoothstep(0.004, 0.0, abs(arm - 0.19 + 0.04 * smoothstep(-0.5, -1.2, p.y)));
        }
    } else if (arm < sleeve && (arm > 0.1 || p.y < neck_line - 0.04 * smoothstep(0.0, 0.12, p.z) * smoothstep(0.1, 0.0, arm))) {
        c = shirt_paint(p) * (0.72 + 0.56 * fold) * (0.95 + 0.1 * noise(p * 420.0));
        c *= mix(0.75, 1.0, smoothstep(0.0, 0.006, abs(arm - sleeve + 0.02)));
        gloss = 0.0;
    } else if (arm > 0.70) {
        c = mix(c, skin * vec3(1.05, 0.85, 0.8), 0.4);
    }
    if (is_eye < 0.5 && !head) n = normalize(n + 0.35 * (vec3(clouds(p * 12.0 + 3.0), clouds(p * 12.0 + 23.0), clouds(p * 12.0 + 43.0)) - 0.5));
    colour = vec4(shade(c, world, n, wrap, gloss), 1.0);
}
