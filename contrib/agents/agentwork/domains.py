"""Which field a text is from: a count of different key words in English and Korean.

Always holds: a domain is named only when at least three different words of it occur and no other has as many;
otherwise the domain is "general".
"""
from . import scoring, text

DOMAINS = {
    "operations": """
    incident outage alert latency uptime downtime deploy rollback server cluster failover on-call postmortem
    timeout restart monitoring pager capacity throughput availability node health request error retry cache
    worker connection service status 장애 서버 배포 복구 모니터링 지연 경보 운영 재시작 중단 점검 롤백
""",
    "software": """
    bug code function api compiler test release refactor commit branch library version module interface
    exception repository regression 버그 코드 함수 개발 테스트 릴리스 버전 라이브러리 모듈 리팩터링 커밋
""",
    "finance": """
    revenue invoice budget profit cost payment account tax interest loan balance quarter margin price amount
    currency refund 매출 예산 비용 결제 이익 세금 환불 금액 대출 이자 송장 계좌
""",
    "research": """
    experiment hypothesis method participants sample significant dataset study abstract conclusion variance
    correlation baseline model 연구 실험 가설 표본 논문 방법론 분석 데이터셋 결론
""",
    "health": """
    patient diagnosis treatment clinical symptom dose hospital therapy disease medical nurse 환자 진단 치료 병원 증상 의료
    처방 임상
""",
    "education": """
    student teacher course lesson curriculum exam school lecture homework grade university 학생 교사 수업 학교 강의 시험 과목
    교육
""",
    "legal": """
    contract clause party liability court plaintiff agreement statute compliance law regulation attorney 계약 조항
    법원 당사자 책임 소송 규정 법률 준수
""",
    "sales": """
    customer order campaign lead discount product shipment store delivery quantity return retail shop refund 고객
    주문 상품 배송 할인 판매 반품 재고 매장
""",
    "manufacturing": """
    sensor machine temperature pressure defect batch assembly line yield plant vibration 센서 설비 온도 압력 불량 공정 생산 라인
    진동
""",
}
_KEYWORDS = {name: frozenset(words.split()) for name, words in DOMAINS.items()}
READ_CHARACTERS = 1 << 17


def find_domain(document):
    """(domain, clarity, key words found)."""
    seen = set()
    for term in text.terms(document.text[:READ_CHARACTERS].replace("_", " ")):
        seen.add(term)
        if term.endswith("s"):
            seen.add(term[:-1])
    ranked = sorted(
        ((len(words & seen), name) for name, words in _KEYWORDS.items()), key=lambda pair: (-pair[0], pair[1])
    )
    (best, name), (second, _) = ranked[0], ranked[1]
    if best >= 3 and best > second:
        return name, scoring.DOMAIN_KNOWN, sorted(_KEYWORDS[name] & seen)
    return "general", scoring.DOMAIN_GENERAL, []
